"""Every way from a spec to something that is made of it, and specs that must not take one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import archspec
from archspec.checking import accepted
from archspec.decoding import decoder
from archspec.views.attention_weights import attend

TEXT = """\
archspec: 1
name: small
constants: {{vocab: 11, d: 8}}
dims:
  batch: [1, 2, 4]
  length: [1, 4, 8]
inputs:
  ids: int64[batch, length] < vocab
defaults: {{norm: layer_norm}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d}}
  states:
    block: {block}
    input: source
    layers: 1
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: {mask}}}
    feed_forward: {{hidden: 16, activation: relu}}
  logits: {{block: lm_head, input: states, tie: source.table}}
outputs:
  logits: float[batch, length, vocab]
rules:
  - {rule}
counts: {{parameters: {parameters}}}
decode: {{input: ids, output: logits, start: 1, end: none}}
"""
PARAMETERS = 704
CAUSAL = "causal: {output: logits, input: ids}"
GOOD = {"block": "decoder", "mask": "causal", "rule": CAUSAL, "parameters": PARAMETERS}
BAD = {
    "violated": {**GOOD, "block": "transformer", "mask": "all"},
    "not seen": {**GOOD, "rule": "sees: {output: logits, input: ids}"},
    "vacuous": {**GOOD, "rule": "equivariant: {output: logits, input: ids, axis: 1, stride: 1}"},
    "other count": {**GOOD, "parameters": PARAMETERS + 1},
}
"""What makes a spec one that may not be compiled."""


def write(folder: Path, fields: dict[str, object]) -> Path:
    """The spec `small.yaml` in a folder, with weights and inputs beside it."""
    path = folder / "small.yaml"
    path.write_text(TEXT.format(**fields), encoding="utf-8")
    np.savez(folder / "inputs.npz", ids=np.arange(8).reshape(2, 4))
    return path


Entrance = Callable[[Path, bool], object]


def _inputs(path: Path) -> dict[str, np.ndarray]:
    with np.load(path.parent / "inputs.npz") as archive:
        return dict(archive)


def _attend(path: Path, unproved: bool) -> object:
    module = archspec.compile(path, unproved=unproved)
    return attend(path, module.state_dict(), _inputs(path), unproved=unproved)


def _generate(path: Path, unproved: bool) -> object:
    # The module is not asked for: the spec is refused before it is looked at.
    module = archspec.compile(path, unproved=True)
    return archspec.generate(path, [[1]], module=module, max_new=2, unproved=unproved)


PYTHON: dict[str, Entrance] = {
    "compile": lambda path, unproved: archspec.compile(path, unproved=unproved),
    "compile a loaded spec": lambda path, unproved: archspec.compile(archspec.load(path), unproved=unproved),
    "compile and expose": lambda path, unproved: archspec.compile(path, expose=["states.layers.0"], unproved=unproved),
    "build": lambda path, unproved: archspec.build(path, path.parent / "bundle", unproved=unproved),
    "build a loaded spec": lambda path, unproved: archspec.build(
        archspec.load(path), path.parent / "bundle", unproved=unproved
    ),
    "accept": lambda path, unproved: accepted(path, unproved=unproved),
    "generate": _generate,
    "decoder": lambda path, unproved: decoder(path, archspec.compile(path, unproved=True), unproved=unproved),
    "attend": _attend,
}
COMMANDS = {
    "compile": ("compile", "small.yaml", "-o", "made.py"),
    "compile to standard output": ("compile", "small.yaml"),
    "compile and expose": ("compile", "small.yaml", "-o", "made.py", "--expose", "states.layers.0"),
    "build": ("build", "small.yaml", "-o", "bundle"),
    "generate": ("generate", "small.yaml", "--max-new", "2"),
    "attend": ("attend", "small.yaml", "--weights", "none", "--inputs", "inputs.npz", "-o", "made.svg"),
}
