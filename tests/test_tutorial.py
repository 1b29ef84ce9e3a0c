"""The tutorial's commands print what it says that they print, in its order, from an empty folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from archspec.checking import check
from tests.documents import ROOT, examples, printed_by, run

PAGE = ROOT / "docs" / "tutorial.md"
FILE = examples(PAGE)[0]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs the extra `rtx`")
def test_every_example(tmp_path: Path) -> None:
    for example in examples(PAGE):
        run(example, tmp_path)


def test_the_file_holds_without_a_warning(tmp_path: Path) -> None:
    run(FILE, tmp_path)
    report = check(tmp_path / str(FILE.file_name))
    assert report.holds
    assert not report.diagnostics


def test_without_rules_a_warning_gives_the_line(tmp_path: Path) -> None:
    run(FILE, tmp_path)
    path = tmp_path / str(FILE.file_name)
    path.write_text(FILE.text.partition("rules:")[0], encoding="utf-8")
    said = printed_by("archspec check tiny.yaml 2>&1", tmp_path)
    assert "warning[W420]" in said
    assert "add `- causal: {output: logits, input: ids}`" in said
