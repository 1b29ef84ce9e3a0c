"""Integers without a bound that index a table or positions: what is drawn for them stays inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.model.ports import interface_of
from archspec.model.samples import OPEN, generate, patterns

HEAD = """
archspec: 1
name: numbers
constants: {d: 4}
dims: {batch: [1, 2, 4], length: [1, 6, 24]}
"""
TABLE = """
inputs: {ids: "int64[batch, length]", kind: "int64[batch]"}
graph:
  x: {block: token_embedding, ids: ids, vocab: 2, dim: d}
  y: {block: attend, query: x, key: x, value: x, mask: all}
  z: {block: token_embedding, ids: kind, vocab: 1, dim: d}
outputs: {y: "float[batch, length, d]", z: "float[batch, d]"}
rules: [causal: {output: y, input: ids}]
"""
POSITION = """
inputs: {x: "float[batch, length, d]", at: "int64[batch]", hidden: "bool[batch, length]"}
graph:
  m: {block: attend, query: x, key: x, value: x, mask: causal & key_valid(hidden)}
  y: {block: pool, input: m, kind: at, index: at}
outputs: {y: "float[batch, d]"}
rules: [ignores: {output: y, input: x, where: hidden}]
"""
REPEATED = """
inputs: {x: "float[batch, length, d]", ids: "int64[batch, length]"}
blocks:
  added:
    inputs: {x: "float[b, n, e]", ids: "int64[b, n]"}
    graph:
      t: {block: token_embedding, ids: ids, vocab: 2, dim: e}
      y: x + t
    outputs: {y: "float[b, n, e]"}
graph:
  moved: {block: shift, input: ids, axis: 1, by: 1}
  y: {block: added, x: x, ids: moved, repeat: 2}
outputs: {y: "float[batch, length, d]"}
rules: [window: {output: y, input: ids, back: 0, ahead: 0}]
"""
MOST = [(TABLE, {"ids": 2, "kind": 1}), (POSITION, {"at": None}), (REPEATED, {"ids": 2})]


def spec_of(body: str, folder: Path) -> archspec.Spec:
    path = folder / "numbers.yaml"
    path.write_text(HEAD + body)
    return archspec.load(path)


@pytest.mark.parametrize(("body", "most"), MOST)
def test_samples_stay_inside(body: str, most: dict[str, int | None], tmp_path: Path) -> None:
    """Every pattern, at several sizes; a position (None here) is below the length."""
    ports = interface_of(spec_of(body, tmp_path))
    for pattern in (*patterns(ports), OPEN):
        for length in (1, 2, 7):
            made = generate(ports, {"batch": 4, "length": length}, pattern, seed=1)
            assert all(int(np.max(made[name])) < (count or length) for name, count in most.items())


@pytest.mark.parametrize(("body", "most"), MOST)
def test_the_rule_is_violated_and_not_the_table(body: str, most: dict[str, int | None], tmp_path: Path) -> None:
    """The witness is replayed on ids that the tables have."""
    report = archspec.check(spec_of(body, tmp_path))
    assert report.verdicts[0].status == "violated"
