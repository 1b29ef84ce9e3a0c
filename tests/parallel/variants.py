"""A small language model whose layers draw random numbers, and how its layers may run more than once."""

from __future__ import annotations

from pathlib import Path

from archspec.spec import Spec, load

SMALL = """
archspec: 1
name: small
constants: {vocab: 96, d_model: 16}
dims: {batch: [1, 2, 4], length: [1, 8, 16]}
inputs: {ids: "int64[batch, length] < vocab"}
defaults: {norm: {kind: rms_norm}, bias: false}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model}
  states:
    block: decoder
    input: source
    residual: pre
    final_norm: true
    dropout: 0.1
    attention: {heads: 4, mask: causal, dropout: 0.1}
    feed_forward: {hidden: 32, activation: silu, dropout: 0.1}
    LAYERS
  logits: {block: lm_head, input: LAST, vocab: vocab}
outputs: {logits: "float[batch, length, vocab]"}
rules: [{causal: {output: logits, input: ids}}]
"""
KINDS_OF_LAYERS = """layers: 5
    kinds: {wide: {feed_forward: {hidden: 64}}, narrow: {feed_forward: {hidden: 24}}}
    pattern: {start: [narrow], repeat: [wide, narrow], end: []}"""
AGAIN = "layers: 2\n  again: {reuse: states, input: states}"
VARIANTS = {
    "plain": ("layers: 2", "states"),
    "shared": ("layers: 3\n    share: true", "states"),
    "kinds": (KINDS_OF_LAYERS, "states"),
    "shared kinds": (f"share: true\n    {KINDS_OF_LAYERS}", "states"),
    "layers in layers": ("layers: 2\n    repeat: 3", "states"),
    "reused": (AGAIN, "again"),
}


def variant(name: str, folder: Path, **constants: str) -> Spec:
    """A small model whose layers are shared, of several kinds, in layers, or run twice."""
    layers, last = VARIANTS[name]
    (folder / "small.yaml").write_text(SMALL.replace("LAYERS", layers).replace("LAST", last))
    return load(folder / "small.yaml", set=constants)
