"""`tools/fuzz`: what it prints, and that a fault of the module ends it with 1 and leaves the file."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.loading import load_tool
from tests.yaml_fuzz.faults import mask_lost


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("fuzz")


def test_files_that_hold(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--files", "2", "--from", "2", "--jobs", "1"]) == 0
    assert re.search(r"2 files \(0 refused, 0 crashed\), \d+ rules: 0 unsound", capsys.readouterr().out)


def test_a_lost_mask_ends_it_with_1(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mask_lost():
        assert tool.main(["--files", "1", "--from", "17", "--jobs", "1", "--out", str(tmp_path)]) == 1
    (written,) = tmp_path.iterdir()
    text = written.read_text("utf-8")
    assert text.startswith(f"# file {written.stem.partition('-')[2]} of seed 0\n# unsound: ")
    assert "archspec: 1" in text
    assert " unsound" in capsys.readouterr().out


def test_edits_that_are_answered(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--edits", "4", "--jobs", "1"]) == 0
    assert re.match(r"4 edits, \d refused, 0 answered wrongly", capsys.readouterr().out)


def test_symmetry_that_holds(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--symmetry", "4", "--jobs", "1"]) == 0
    assert re.match(r"\d+ rules: .*; 0 unsound, \d+\.\d% decided", capsys.readouterr().out)


def test_graphs_that_hold(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--graphs", "3", "--jobs", "1"]) == 0
    assert re.match(r"3 graphs, \d+ pairs, 0 unsound", capsys.readouterr().out)
