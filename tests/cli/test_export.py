"""`archspec export`: from a bundle to a file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.bundle import build
from archspec.spec import load
from archspec.weights import read_weights
from tests.cli.conftest import Command

pytest.importorskip("gguf")


def test_a_bundle_becomes_a_gguf_file(archspec: Command, folder: Path) -> None:
    build(load("smollm2-135m", reduced=True), folder / "smol", targets=())
    ran = archspec("export", "smol", "--to", "gguf", "-o", "smol.gguf", "--dtype", "Q8_0")
    assert ran.status == 0
    assert ran.out.splitlines()[0] == "wrote smol.gguf (llama, Q8_0)"
    assert "not as in the bundle: no tokenizer is written" in ran.out
    with read_weights(folder / "smol.gguf") as found:
        assert found.dtypes["blk.0.attn_q.weight"] == "Q8_0"
    data = archspec("export", "smol", "--to", "gguf", "-o", "smol.gguf", "--json").data
    assert (data["architecture"], data["written"]) == ("llama", "smol.gguf")


def test_what_is_no_bundle_is_refused(archspec: Command, folder: Path) -> None:
    ran = archspec("export", "small.yaml", "--to", "gguf", "-o", "small.gguf")
    assert ran.status == 1
    assert not (folder / "small.gguf").exists()
