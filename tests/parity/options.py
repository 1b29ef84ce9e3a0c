"""Small decoders of one option each, with the weights of a reference model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from archspec import weights
from archspec.checking import compile
from archspec.diagnostics import Source
from archspec.spec.elaborate import elaborate
from archspec.spec.spec import Spec
from archspec.text.reader import read
from tests.parity.models import TOLERANCE
from tests.spec.editor import SCHEMA, data_of, fits

VOCAB, WIDTH, HIDDEN, LAYERS, LENGTH = 60, 64, 96, 2, 24

_DECODER = """\
archspec: 1
name: option
constants: {{vocab: 60, d: 64, hidden: 96}}
dims:
  batch: [1, 2, 4]
  n: [2, 16, 32]
inputs:
  ids: int64[batch, n] < vocab
{inputs}
defaults: {{norm: {norm}, bias: {bias}}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d{embedding}}}
  states:
    block: {block}
    input: source
    layers: {layers}
    residual: {residual}
    final_norm: {final_norm}
    attention:
      heads: {heads}
{attention}
    feed_forward: {feed_forward}
{more}
{head}
outputs:
{outputs}
{decode}weights:
  reference:
    skip: {skip}
    map:
{map}
"""


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())


def decoder(
    *,
    attention: str,
    map: str,
    inputs: str = "",
    norm: str = "rms_norm",
    bias: str = "false",
    residual: str = "pre",
    embedding: str = "",
    heads: int = 4,
    block: str = "decoder",
    final_norm: str = "true",
    feed_forward: str = "{hidden: hidden, activation: silu, gated: true}",
    more: str = "",
    head: str = "",
    layers: int = 2,
    skip: str = "none",
    end: int | None = None,
) -> Spec:
    """A decoder of two layers, with a layout of weights; `more` are further fields, `head` those of an lm_head."""
    text = _DECODER.format(
        attention=indented(attention, 6),
        map=indented(map, 6),
        inputs=indented(inputs, 2),
        heads=heads,
        block=block,
        final_norm=final_norm,
        norm=norm,
        layers=layers,
        skip=skip,
        bias=bias,
        residual=residual,
        embedding=embedding,
        feed_forward=feed_forward,
        more=indented(more, 4) if more else "",
        decode="" if end is None else f"decode: {{input: ids, output: logits, start: none, end: {end}}}\n",
        head=f"  logits: {{block: lm_head, input: states, {head}}}" if head else "",
        outputs="  logits: float[batch, n, vocab]" if head else "  states: float[batch, n, d]",
    )
    return draft(text)


def draft(text: str) -> Spec:
    """A spec from its text, which an editor takes too."""
    tree = read(Source("option.yaml", text))
    spec = elaborate(tree, path=Path("option.yaml"))
    assert fits(data_of(tree), SCHEMA)
    return spec


def module_of(spec: Spec, reference: nn.Module) -> nn.Module:
    """The compiled spec with the reference's weights."""
    module = compile(spec)
    module.load_state_dict(weights.load(spec, dict(reference.state_dict()), "reference"), strict=True)
    return module.eval()


def tokens(seed: int = 0, length: int = LENGTH, batch: int = 2) -> Tensor:
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, **TOLERANCE)


def differ(found: Tensor, expected: Tensor) -> None:
    """The option is told from its neighbours by much more than the tolerance."""
    assert (found - expected).abs().max() > 100 * TOLERANCE["atol"]
