"""Documents for tests: a text on a desk of its own, and places named by what stands there."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import Source
from archspec.editing import Desk, Document, Lines, Position
from archspec.editing.library import Library
from archspec.spec.shipped import shipped_specs_dir

DECODER = """\
archspec: 1
name: small
constants: {vocab: 50, d_model: 16, heads: 4, hidden: 4*d_model}
dims:
  batch: [1, 2, 4]
  length: [1, 8, 16]
inputs:
  ids: int64[batch, length] < vocab
defaults: {norm: layer_norm}

graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: sinusoidal}
  states:
    block: decoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: heads, mask: causal}
    feed_forward: {hidden: hidden, activation: relu}
  logits: {block: lm_head, input: states, tie: source.table}

outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
"""
LEAKY = DECODER.replace("block: decoder", "block: encoder").replace("mask: causal", "mask: all")


def document(text: str = DECODER, name: str = "small.yaml", *, folder: Path | None = None) -> Document:
    """A document that was never saved, in an empty folder unless one is given."""
    return Document(
        (folder or Path("/no/such/folder")) / name, text, Library(Desk(() if folder is None else (folder,)))
    )


def shipped(name: str) -> tuple[Path, str]:
    """The path and the text of a shipped spec."""
    path = shipped_specs_dir() / f"{name}.yaml"
    return path, path.read_text("utf-8")


def place(text: str, before: str, number: int = 0) -> Position:
    """The place in a text where `|` stands in the given part of it, at its occurrence of that number."""
    head, _, tail = before.partition("|")
    start = -1
    for _ in range(number + 1):
        start = text.index(head + tail, start + 1)
    return Lines(Source("", text)).place(start + len(head))


def at(text: str, found: object) -> str:
    """The text of an extent."""
    lines = Lines(Source("", text))
    return text[lines.offset(found.start) : lines.offset(found.end)]  # type: ignore[attr-defined]
