"""What cases share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archspec.diagnostics import Collector
from archspec.model.written import DimRange, InputPort, WrittenInterface
from archspec.spec import Spec
from tests.spec.example import spec_of

Case = Callable[[Path], object]
"""Raises SpecError, in a folder of its own."""

INTERFACE = WrittenInterface(
    dims={
        "batch": DimRange(min=1, typical=2, max=8),
        "tokens": DimRange(min=2, typical=12, max=32),
        "height": DimRange(min=16, typical=32, max=64, multiple=16),
    },
    inputs={
        "ids": InputPort(type="int64[batch, tokens] < 50"),
        "valid": InputPort(type="bool[batch, tokens]", default=True, padding="right"),
        "segments": InputPort(type="int32[batch, tokens]", default=0, sorted=True),
        "pixels": InputPort(type="float[batch, 3, height, 8]", default=0.5),
    },
    outputs={"out": "float[batch]"},
).read()
DECODER = """\
inputs:
  ids: int64[batch, length] < 20
graph:
  source: {block: token_embedding, ids: ids, vocab: 20, dim: d}
  states:
    block: %s
    input: source
    layers: 1
    residual: pre
    norm: layer_norm
    final_norm: true
    attention: {heads: 2, mask: %s}
    feed_forward: none
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, length, 20]
defaults: {norm: layer_norm}
decode: {input: ids, output: logits, start: none, end: none}
"""


def decoder(
    folder: Path, block: str = "decoder", mask: str = "causal", change: Mapping[str, str] | None = None
) -> Spec:
    """A small decoder, with changes of its text."""
    text = DECODER % (block, mask)
    for old, new in (change or {}).items():
        text = text.replace(old, new)
    return spec_of(folder, text)


def collected(tell: Callable[[Collector], object]) -> None:
    """Raise what is collected."""
    found = Collector()
    tell(found)
    found.raise_if_errors()
