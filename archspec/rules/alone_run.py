"""Witnesses against `alone`: rows of a padded batch are run, and each of them alone, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from zlib import crc32

from archspec.analyses.cost import flops
from archspec.analyses.parameters import numbered
from archspec.ir.graph import Node, Value
from archspec.ir.types import DType
from archspec.oracle.interpreter import Interpretation
from archspec.record import record
from archspec.rules.moved_run import MOST_FLOPS, MOVED, elements_of, weights_of
from archspec.rules.padded_rows import Place, RowApart, alone, apart, marked, places, row_dims
from archspec.rules.terms import Terms
from archspec.rules.wiring.replay import MOST_ELEMENTS, MOST_WEIGHTS
from archspec.rules.wiring.values import filled
from archspec.rules.wiring.world import World
from archspec.rules.wiring.worlds import small_sizes, worlds
from archspec.spec import Rule, Spec

if TYPE_CHECKING:
    from archspec.ir.op import Array

_LENGTHS = (6, 11)
_ROWS = 3
_DRAWS = 2


@record(eq=False)
class RowWitness:
    """A row whose output differs from that of the row alone, and the sizes of the batch."""

    sizes: Mapping[str, int]
    apart: RowApart


def row_witness(spec: Spec, rule: Rule, terms: Terms) -> RowWitness | None:
    """A row of a padded batch that is not what it is alone, by runs with random weights; None if none is found."""
    if weights_of(spec.graph) > MOST_WEIGHTS:
        return None
    assert rule.valid is not None
    padding, left = spec.inputs[rule.valid.name].padding, MOST_FLOPS
    batch, dim = row_dims(rule)
    for sizes in _sizes(spec, rule):
        elements = elements_of(spec.graph, sizes)
        if max(elements) > MOST_ELEMENTS or min(elements) == 0:
            continue
        cost, count = flops(spec.graph).value({"layer": 0, **sizes}), 1 if batch is None else sizes[batch.name]
        found = list(places(rule, sizes[dim.name], padding))
        for start in range(0, len(found), count):
            rows = (found[start : start + count] * count)[:count]
            for draw, world in enumerate(_few(spec, terms, sizes)):
                left -= 2 * cost
                if left < 0:
                    return None
                broken = _broken(spec, rule, world, draw, rows)
                if broken is not None:
                    return RowWitness(sizes=sizes, apart=broken)
    return None


def _few(spec: Spec, terms: Terms, sizes: Mapping[str, int]) -> Iterator[World]:
    """The first worlds after the one in which nothing varies."""
    made = list(worlds(spec, terms, sizes))
    yield from made[-_DRAWS:]


def _sizes(spec: Spec, rule: Rule) -> Iterator[dict[str, int]]:
    """Small sizes, each once."""
    known: list[dict[str, int]] = []
    for least in _LENGTHS:
        sizes = small_sizes(spec, least, batch=_ROWS)
        if sizes not in known:
            known.append(sizes)
            yield sizes


def _broken(spec: Spec, rule: Rule, world: World, draw: int, rows: list[Place]) -> RowApart | None:
    """The first row that differs from what it is alone."""
    assert rule.valid is not None
    given = {value.name: _input(value, world, draw) for value in spec.graph.inputs}
    given[rule.valid.name] = marked(rule, given[rule.valid.name].shape, rows)
    padded = _Run(spec, rule, world.sizes, draw).run(given)
    batch, dim = row_dims(rule)
    for row, place in enumerate(rows):
        single = alone(rule, spec.inputs, given, row, place)
        if padded is None or single is None:
            continue
        sizes = {**world.sizes, dim.name: place.count, **({} if batch is None else {batch.name: 1})}
        wanted = _Run(spec, rule, sizes, draw).run(single)
        found = None if wanted is None else apart(rule, padded, wanted, row, place)
        if found is not None and found.size > MOVED:
            return found
    return None


def _input(value: Value, world: World, draw: int) -> Array:
    """The value of a graph input: seeded noise for floats, the world's value otherwise."""
    import numpy as np

    shape = tuple(size.value(world.sizes) for size in value.type.shape)
    if value.type.dtype is DType.FLOAT:
        return np.random.default_rng((crc32(value.name.encode()), draw)).normal(size=shape)
    kept = bool if value.type.dtype is DType.BOOL else np.int64
    return np.asarray(world.inputs[value.name].items, dtype=kept).reshape(shape)


class _Run(Interpretation):
    """A run that remembers the value of the rule's output."""

    def __init__(self, spec: Spec, rule: Rule, sizes: Mapping[str, int], draw: int) -> None:
        super().__init__({}, sizes)
        self.spec, self.rule, self.draw = spec, rule, draw
        self.found: Array | None = None

    def run(self, given: Mapping[str, Array]) -> Array | None:
        """The value of the rule's output on these inputs."""
        self.found = given.get(self.rule.output.name) if self.rule.output in self.spec.graph.inputs else None
        self.graph(self.spec.graph, [given[value.name] for value in self.spec.graph.inputs], ())
        return self.found

    def made(self, node: Node, results: list[Array]) -> list[Array]:
        """The results of a node; remembers the rule's output."""
        if self.rule.output in node.outputs:
            self.found = results[node.outputs.index(self.rule.output)]
        return results

    def of(self, node: Node, layers: tuple[int, ...]) -> dict[str, Array]:
        """Random parameters, seeded by their names."""
        return {
            local: filled(parameter, numbered(parameter.path, layers), self.draw)
            for local, parameter in node.parameters.items()
        }
