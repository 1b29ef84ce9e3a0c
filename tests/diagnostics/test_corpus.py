"""Every case of the corpus raises what it expects and nothing else, and reads as its golden text."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import render
from tests.diagnostics.corpus_case import CASES, CORPUS, copy_to, differences, expected, found_in


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_case(path: Path, update_golden: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_to(tmp_path, path)
    monkeypatch.chdir(tmp_path)
    found = found_in(path)
    assert differences(path, found) == []
    golden = path.with_suffix(".txt")
    if update_golden:
        golden.write_text(render(found), encoding="utf-8")
    assert render(found) == golden.read_text("utf-8")


def test_every_case_expects_something_and_no_golden_text_is_left_over() -> None:
    assert all(expected(path) for path in CASES)
    assert {path.stem for path in CORPUS.glob("*.txt")} == {path.stem for path in CASES}
