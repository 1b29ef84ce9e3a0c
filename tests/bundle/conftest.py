"""One small bundle, built once; tests that change it take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import archspec
from tests.steps import steps_here

SPEC = """\
archspec: 1
name: tiny
about: "A small encoder: two layers"
constants: {vocab: 50, d_model: 16}
dims:
  batch: [1, 2, 8]
  tokens: [1, 12, 32]
inputs:
  ids: int64[batch, tokens] < vocab
  valid: {type: "bool[batch, tokens]", default: true}
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: sinusoidal}
  states:
    block: encoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, mask: key_valid(valid)}
    feed_forward: {hidden: 32, activation: gelu}
  pooled: {block: pool, input: states, kind: mean, valid: valid}
outputs:
  states: float[batch, tokens, d_model]
  pooled: float[batch, d_model]
"""


@pytest.fixture(scope="session")
def spec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, spec_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("built")
    carried = folder / "tokenizer.json"
    carried.write_text("{}")
    with steps_here():
        archspec.build(spec_file, folder / "bundle", files=[carried], seed=3, cache=False)
    return folder / "bundle"


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "bundle"))
