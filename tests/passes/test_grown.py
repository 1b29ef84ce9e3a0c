"""A step whose state grows, with masked entries anywhere, equals each row's own full run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import archspec
from archspec.analyses.parameters import expand
from archspec.oracle.interpreter import interpret
from archspec.passes.incremental.incremental import Incremental, incremental

ENTRIES = ("1110 1 1", "1011 1 1", "0011 0 1", "0010 1 1", "0000 0 1")
"""Which entries of each row are positions of it: four in the first step, then one at a time."""


def steps(found: Incremental, ids: Sequence[list[int]], parameters: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """The logits of each row at its own positions."""
    marks = np.array([[int(mark) for mark in row.replace(" ", "")] for row in ENTRIES])
    sizes = {symbol.name: len(ids) for symbol in found.rows.symbols()} | {found.past.name: 0, found.new.name: 0}
    state = {one.name: np.zeros([size.value(sizes) for size in one.type.shape]) for one in found.state}
    left, rows = [list(row) for row in ids], [[] for _ in ids]
    for first, last in ((0, 4), (4, 5), (5, 6)):
        # Entries that are no positions hold any id.
        given = [[left[r].pop(0) if marks[r, n] else 7 for n in range(first, last)] for r in range(len(ids))]
        fed = {"ids": np.array(given), "attention_mask": marks[:, :last]}
        result = interpret(found.step, {**fed, **state}, parameters)
        state = {one.name: result[one.update] for one in found.state}
        for r, row in enumerate(rows):
            row += [result["logits"][r, n - first] for n in range(first, last) if marks[r, n]]
    return rows


@pytest.mark.parametrize("name", ["gpt2", "mistral-7b", "gemma-2-2b"])
def test_steps_equal_each_rows_full_run(name: str) -> None:
    spec = archspec.load(name, reduced=True)
    found = incremental(spec.graph, "ids", ["logits"], grows=True)
    assert [value.name for value in found.step.inputs[:2]] == ["ids", "attention_mask"]
    assert not found.has_count and {one.kind for one in found.state} == {"whole"}
    rng = np.random.default_rng(3)
    parameters = {
        path: 0.3 * rng.normal(size=[size.value({}) for size in one.type.shape])
        for path, one in expand(spec.graph).items()
    }
    ids = [list(rng.integers(0, 97, row.count("1"))) for row in ENTRIES]
    for row, made in zip(ids, steps(found, ids, parameters), strict=True):
        full = interpret(spec.graph, {"ids": np.array([row])}, parameters)["logits"][0]
        assert np.abs(np.array(made) - full).max() < 1e-10
