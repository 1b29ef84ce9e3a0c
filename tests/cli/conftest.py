"""Commands run in this process, in a folder of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archspec.cli import main
from tests.steps import steps_here

SMALL = """\
archspec: 1
name: small
constants: {vocab: 50, context: 12, d_model: 16, heads: 2, layers: 2}
dims:
  batch: [1, 2, 4]
  length: [1, 6, context]
inputs:
  ids: int64[batch, length] < vocab
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: {kind: learned, length: context}}
  states:
    block: decoder
    input: source
    layers: layers
    residual: pre
    final_norm: true
    attention: {heads: heads, mask: causal}
    feed_forward: {hidden: 4*d_model, activation: gelu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for `small.yaml`, which commands run in."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def archspec(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `archspec ARGUMENTS`."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["archspec", *arguments])
        capfd.readouterr()
        try:
            with steps_here():
                main()
            status = 0
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(status, out, err)

    return run
