"""The examples of docs/language.md are specs that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.spec import load
from archspec.weights.load import layouts
from tests.documents import ROOT, Example, examples, run

PAGE = ROOT / "docs" / "language.md"
FILES = [example for example in examples(PAGE) if example.file_name is not None]


def test_every_yaml_block_is_a_file() -> None:
    assert len(FILES) == sum(example.language == "yaml" for example in examples(PAGE)) > 3


@pytest.mark.parametrize("example", FILES, ids=lambda example: example.file_name)
def test_example_holds(example: Example, tmp_path: Path) -> None:
    run(example, tmp_path)
    report = check(tmp_path / str(example.file_name))
    assert report.holds
    assert not report.diagnostics


def test_layout_is_one_of_the_spec(tmp_path: Path) -> None:
    for example in FILES:
        run(example, tmp_path)
    assert "mine" in {layout.name for layout in layouts(load(tmp_path / "mapped.yaml"))}
