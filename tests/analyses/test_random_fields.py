"""Receptive fields of random graphs against what every output position reads at some sizes, by brute force."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from archspec.analyses.field import ReceptiveFields
from archspec.ir.graph import Value
from tests.rules.brute import Brute, coordinates, random_inputs
from tests.rules.random_graphs import random_graph, random_sizes


def spans(read: np.ndarray, out: Value, source: Value, sizes: dict[str, int], coordinate: int) -> int:
    """The most positions along a coordinate, from the first to the last, that one output position reads."""
    shapes = [coordinates(value.type, sizes) for value in (out, source)]
    table = read.reshape(int(np.prod(shapes[0])), *shapes[1])
    others = tuple(k for k in range(1, table.ndim) if k != coordinate + 1)
    rows = table.any(axis=others)
    places = np.arange(rows.shape[1])
    last, first = np.where(rows, places, -1).max(1), np.where(rows, places, rows.shape[1]).min(1)
    return int((last - first + 1).max(initial=0))


def judged(seed: int) -> Iterator[tuple[int | None, int]]:
    """For every output, input and axis the computed extent, None if global, and the one that is read."""
    graph, r = random_graph(seed), random.Random(seed)
    sizes = random_sizes(r)
    states = Brute(graph, random_inputs(graph, r, sizes), sizes).states
    fields = ReceptiveFields(graph)
    for value, state in zip(graph.outputs, states, strict=True):
        for source in graph.inputs:
            read = state.reads.get(source.name)
            for axis, own in enumerate(source.type.coordinates):
                if len(own) == 1 and read is not None:
                    found = fields.of(value, source, axis)
                    seen = spans(read, value, source, sizes, own[0])
                    assert found is not None or seen == 0
                    if found is not None:
                        yield None if found.extent is None else found.extent.value(sizes), seen


def check(seeds: range) -> None:
    found = [pair for seed in seeds for pair in judged(seed)]
    local = [(told, seen) for told, seen in found if told is not None]
    print(f"\n{len(found)} fields, {len(local)} of them local, {sum(told == seen for told, seen in local)} reached")
    assert all(seen <= told for told, seen in local)
    assert len(local) > len(found) / 4


def test_no_position_reads_more_than_the_field() -> None:
    check(range(60))


@pytest.mark.slow
def test_no_position_of_many_random_graphs_reads_more_than_the_field() -> None:
    check(range(60, 180))


@pytest.mark.slow
@pytest.mark.long
def test_no_position_of_still_more_random_graphs_reads_more_than_the_field() -> None:
    check(range(180, 600))
