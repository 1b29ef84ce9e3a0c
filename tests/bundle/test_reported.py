"""The report of a bundle, by the command."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from archspec.cli import main
from tests.views.page_elements import Elements


def report(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["archspec", "report", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_bundle_is_reported_from_its_manifest(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tmp_path / "found.html"
    assert report(built, "-o", found, monkeypatch=monkeypatch) == 0
    words = re.sub(r"\s+", " ", Elements(found.read_text(encoding="utf-8")).words)
    assert "onnx float32" in words and "✓ executed on the host that built it" in words
    assert "The weights were initialised under seed 3." in words
    assert "onnx interpreter batch=" in words and "✓ within" in words
    assert "files/tokenizer.json" in words
    # A bundle has its own spec, and no file but its own.
    assert report(built, "--reduced", "-o", found, monkeypatch=monkeypatch) == 2
    assert report(built, "-o", built / "found.html", monkeypatch=monkeypatch) == 1
    assert not (built / "found.html").exists()


def test_a_changed_bundle_is_not_reported(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "model.py").write_text("changed", encoding="utf-8")
    assert report(copy, "-o", tmp_path / "found.html", monkeypatch=monkeypatch) == 1
    assert not (tmp_path / "found.html").exists()
