"""Keys under causality alone are told from those under a window, a bias or a cap."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.analyses.causal_reads import causal_keys
from archspec.checking import accepted
from archspec.lower.step_programs import step_programs

SPEC = """\
archspec: 1
name: decoder
constants: {vocab: 20, d_model: 8}
dims: {batch: [1, 2, 4], length: [1, 6, 16]}
inputs: {ids: "int64[batch, length] < vocab"}
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model}
  states:
    block: decoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 2, ATTENTION}
    feed_forward: {hidden: 16, activation: gelu}
  logits: {block: lm_head, input: states, vocab: vocab}
outputs: {logits: "float[batch, length, vocab]"}
decode: {input: ids, output: logits, start: none, end: none}
"""
KEY = "states_layers_attention_k"


@pytest.mark.parametrize(
    ("attention", "causal"),
    [
        ("mask: causal", True),
        ("mask: causal, positions: {kind: rotary, layout: half}", True),
        ("mask: last(3)", False),
        ("mask: causal, positions: {kind: alibi}", False),
        ("mask: causal, softcap: 5", False),
    ],
)
def test_keys_under_causality_alone(tmp_path: Path, attention: str, causal: bool) -> None:
    path = tmp_path / "decoder.yaml"
    path.write_text(SPEC.replace("ATTENTION", attention))
    programs = step_programs(accepted(path))
    assert programs is not None
    assert causal_keys(programs.found.step) == ({KEY} if causal else frozenset())
    # A window is kept in a ring, which is no buffer of all positions.
    assert bool(programs.buffers) == ("last" not in attention)
    assert programs.causal == ((f"{KEY}.0", f"{KEY}.1") if causal else ())
