"""Affine values of random graphs: where an analysis says so, second differences are zero."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pytest

from archspec.analyses.affinity import Affinities, Affinity
from archspec.analyses.parameters import numbered
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.types import DType
from archspec.oracle.interpreter import Interpretation
from archspec.rules.wiring.values import filled
from tests.rules.brute import random_inputs
from tests.rules.random_graphs import random_graph, random_sizes

_ROUNDING = 1e-9


class Drawn(Interpretation):
    """A run with random parameters, seeded by their names."""

    def of(self, node: Node, layers: tuple[int, ...]) -> dict[str, np.ndarray]:
        """The parameters of a node."""
        return {k: filled(p, numbered(p.path, layers), 0) for k, p in node.parameters.items()}


def run(graph: Graph, inputs: Mapping[Value, np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
    # What is not finite is no evidence, and is left out of the second differences.
    with np.errstate(all="ignore"):
        return Drawn({}, sizes).graph(graph, [inputs[value] for value in graph.inputs], ())


def drawn(graph: Graph, r: random.Random, sizes: Mapping[str, int]) -> dict[Value, np.ndarray]:
    """Random values of all inputs."""
    rng, controls = np.random.default_rng(r.randrange(1 << 30)), random_inputs(graph, r, dict(sizes))
    shapes = {value: tuple(size.value(sizes) for size in value.type.shape) for value in graph.inputs}
    return {
        value: rng.normal(size=shapes[value]) if value.type.dtype is DType.FLOAT else controls[value.name]
        for value in graph.inputs
    }


def second(corners: list[list[np.ndarray]], place: int) -> float:
    """The largest second difference of an output, relative to its largest value or to 1."""
    none, one, two, both = (np.asarray(corner[place], dtype=np.float64) for corner in corners)
    with np.errstate(invalid="ignore"):
        apart = np.abs(both - two - one + none) / max(1.0, float(np.abs(both).max(initial=0)))
    return float(np.where(np.isfinite(apart), apart, 0).max(initial=0))


def judged(seed: int) -> tuple[int, int, int]:
    """How many pairs of an output and an input there are, how many are said to be affine, and how many are."""
    graph, r = random_graph(seed), random.Random(seed)
    sizes = {"layer": 0, **random_sizes(r)}
    pairs = told = real = 0
    for source in (value for value in graph.inputs if value.type.dtype is DType.FLOAT):
        inputs, others, changes = (drawn(graph, r, sizes) for _ in range(3))
        x, a, b = inputs[source], changes[source], others[source]
        own = [run(graph, {**inputs, source: value}, sizes) for value in (x, x + a, x + b, x + a + b)]
        rest = [run(graph, {**one, source: value}, sizes) for one in (inputs, others) for value in (x, x + a)]
        facts = Affinities(graph, source).facts
        for place, value in enumerate(graph.outputs):
            if value.type.dtype is not DType.FLOAT:
                continue
            flat = max(second(own, place), second(rest, place)) < _ROUNDING
            said = facts[value] is not Affinity.LOST
            assert flat or not said, f"graph {seed}: {value} is not affine in {source}"
            pairs, told, real = pairs + 1, told + said, real + flat
    return pairs, told, real


def check(seeds: range) -> None:
    pairs, told, real = (sum(counts) for counts in zip(*map(judged, seeds), strict=True))
    print(f"\n{pairs} pairs, {told} said to be affine, {real} measured to be")
    assert told > 0.5 * real


def test_what_is_said_to_be_affine_is() -> None:
    check(range(60))


@pytest.mark.slow
def test_what_is_said_to_be_affine_in_many_random_graphs_is() -> None:
    check(range(60, 240))


@pytest.mark.slow
@pytest.mark.long
def test_what_is_said_to_be_affine_in_a_thousand_random_graphs_is() -> None:
    check(range(240, 1000))
