"""The examples of docs/decoding.md print what it says that they print."""

from __future__ import annotations

from pathlib import Path

from tests.documents import ROOT, examples, run


def test_examples(tmp_path: Path) -> None:
    for example in examples(ROOT / "docs" / "decoding.md"):
        run(example, tmp_path)
