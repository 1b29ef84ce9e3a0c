"""`archspec cache` lists and clears what builds keep, and a build says when it took something from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.cli.cache_command import ago
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


def test_an_empty_one(archspec: Command, tmp_path: Path) -> None:
    ran = archspec("cache")
    assert ran.out == f"0 artifacts, 0 bytes, in {tmp_path / 'cache' / 'artifacts'}\n"
    assert archspec("cache", "--older", "2").status == 2


@pytest.mark.slow
def test_a_second_build_takes_what_the_first_kept(archspec: Command, folder: Path) -> None:
    first = archspec("build", "small.yaml", "-o", "one")
    assert "from the cache" not in first.out + first.err
    (row,) = archspec("cache", "--json").data["artifacts"]
    assert (row["name"], row["target"], row["dtype"]) == ("small", "onnx", "float32")
    second = archspec("build", "small.yaml", "-o", "two")
    assert "take onnx from the cache" in second.err.splitlines()
    assert "export to ONNX" not in second.err
    assert second.out.rstrip().endswith("; from the cache")
    assert (folder / "one/artifacts/onnx/model.onnx").read_bytes() == (
        folder / "two/artifacts/onnx/model.onnx"
    ).read_bytes()
    anew = archspec("build", "small.yaml", "-o", "three", "--no-cache")
    assert "export to ONNX" in anew.err
    assert "from the cache" not in anew.out
    assert "  small onnx float32, " in archspec("cache").out
    assert archspec("cache", "--clear", "--older", "1").out.startswith("removed 0 artifacts, ")
    assert archspec("cache", "--clear").out.startswith("removed 1 artifact, ")
    assert archspec("cache", "--json").data["artifacts"] == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "just now"), (61, "1 minute ago"), (7300, "2 hours ago"), (3 * 86400, "3 days ago")]
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert ago(seconds) == text
