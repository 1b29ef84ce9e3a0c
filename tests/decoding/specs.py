"""Small decoders, each with something that generation must know of."""

from __future__ import annotations

from pathlib import Path

from archspec.spec import Spec, load
from tests.editing import edited

_DECODER = """\
archspec: 1
name: small
constants: {{vocab: 41, context: 24, d_model: 16, heads: 2, layers: 2}}
dims:
  batch: {batch}
{length}inputs:
{inputs}
defaults: {{norm: layer_norm, dropout: 0.5}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d_model{source}}}
  states:
    block: {block}
    input: source
    layers: layers
    residual: pre
    final_norm: true
    attention: {{heads: heads, mask: {mask}{attention}}}
    feed_forward: {{hidden: 32, activation: gelu}}
  logits: {{block: lm_head, input: states, tie: source.table}}
outputs:
  logits: float[batch, {positions}, vocab]
decode: {{input: ids, output: logits, start: {start}, end: {end}}}
"""
LEARNED = ", positions: {kind: learned, length: context}"
COUNTED = ", positions: {kind: learned, length: context, count: valid}"
ROTARY = ", positions: {kind: rotary, layout: half}"
ALIBI = ", positions: alibi"
LATENTS = (
    "head_dim: 12, latent: {query: 8, key_value: 6, rotary: 4}, positions: {kind: rotary, layout: half}, bias: [out]"
)
"""Latent attention whose latents a step keeps; with a bias of the values it keeps heads."""


def decoder(
    folder: Path,
    *,
    more: str = "",
    source: str = LEARNED,
    attention: str = "",
    mask: str = "causal",
    batch: str = "[1, 2, 4]",
    length: str = "[1, 6, context]",
    positions: str = "length",
    block: str = "decoder",
    start: str = "none",
    end: str = "none",
    set: tuple[str, ...] = (),
    nodes: str = "",
) -> Spec:
    """A decoder with options; `more` are further inputs, one a line, `nodes` make `back` from `source`."""
    inputs = "\n".join(f"  {line}" for line in (f"ids: int64[batch, {positions}] < vocab", *more.splitlines()))
    text = _DECODER.format(
        inputs=inputs,
        source=source,
        attention=attention,
        mask=mask,
        batch=batch,
        length=f"  length: {length}\n" if positions == "length" else "",
        positions=positions,
        block=block,
        start=start,
        end=end,
    )
    if nodes:
        text = text.replace("\n  states:", f"{nodes.rstrip()}\n  states:", 1)
        text = edited(text, ("input: source\n    layers", "input: back\n    layers"))
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, set=set)


TWO_TABLES = """\
archspec: 1
name: two-tables
constants: {vocab: 41, d_model: 16, heads: 2, layers: 2}
dims:
  batch: [1, 2, 4]
  src: [1, 6, 16]
  tgt: [1, 6, 16]
inputs:
  src_ids: int64[batch, src] < vocab
  tgt_ids: int64[batch, tgt] < vocab
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: src_ids, vocab: vocab, dim: d_model, positions: sinusoidal}
  memory:
    block: encoder
    input: source
    layers: layers
    residual: post
    attention: {heads: heads, mask: all}
    feed_forward: {hidden: 32, activation: relu}
  target: {block: token_embedding, ids: tgt_ids, vocab: vocab, dim: d_model, positions: sinusoidal}
  states:
    block: decoder
    input: target
    layers: layers
    residual: post
    attention: {heads: heads, mask: causal}
    cross_attention: {memory: memory, heads: heads, mask: all}
    feed_forward: {hidden: 32, activation: relu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, tgt, vocab]
  memory: float[batch, src, d_model]
decode: {input: tgt_ids, output: logits, start: 0, end: none}
"""
"""The logits share the table of the source, which the steps do not embed."""
