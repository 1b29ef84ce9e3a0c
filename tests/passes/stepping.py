"""A graph run step by step, each row by a schedule of its own, beside each row's own full run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.algebra.dim import Dim
from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph
from archspec.ir.types import DType, TensorType
from archspec.oracle.interpreter import interpret
from archspec.passes.incremental.incremental import Incremental, incremental

Array = np.ndarray
Counts = Sequence[int]
"""How many positions each row is given in one step."""


class Stepping:
    """A graph, its step, random parameters and, for each row, inputs of `total` positions."""

    def __init__(self, graph: Graph, fed: str, output: str, *, rows: int, total: int, seed: int = 0) -> None:
        self.graph, self.output, self.rows, self.total = graph, output, rows, total
        self.found: Incremental = incremental(graph, fed, [output])
        self.rng = np.random.default_rng(seed)
        self.sizes = {s.name: s.typical for value in graph.inputs for d in value.type.shape for s in d.symbols()}
        for symbol in self.found.rows.symbols():
            self.sizes[symbol.name] = rows
        self.length = self.found.length.name
        self.sizes[self.length] = total
        self.parameters = {
            name: 0.3 * self.rng.normal(size=[size.value({}) for size in one.type.shape])
            for name, one in expand(graph).items()
        }
        self.inputs = {value.name: self.draw(value.type) for value in graph.inputs}
        self.grown = {v.name: v.type for v in graph.inputs if self.found.length in set().union(*_symbols(v.type))}

    def draw(self, type_: TensorType) -> Array:
        """Random values of a type."""
        shape = [size.value(self.sizes) for size in type_.shape]
        if type_.dtype is DType.FLOAT:
            return self.rng.normal(size=shape)
        if type_.dtype is DType.BOOL:
            return self.rng.random(size=shape) < 0.7
        bound = 4 if type_.bound is None else type_.bound.value(self.sizes)
        return self.rng.integers(0, bound, size=shape)

    def full(self, row: int, length: int) -> Array:
        """The output of one row run alone, over `length` positions."""
        own = {name: self._row(name, array, row) for name, array in self.inputs.items()}
        own |= {name: self._cut(name, own[name], 0, length) for name in self.grown}
        return interpret(self.graph, own, self.parameters)[self.output]

    def steps(self, schedule: Sequence[Counts], capacity: int | None = None) -> list[Array]:
        """The outputs of each row, in order, where step n gives row b `schedule[n][b]` positions."""
        state, once = self._start(self.total if capacity is None else capacity)
        past = np.zeros(self.rows, dtype=np.int64)
        found: list[list[Array]] = [[] for _ in range(self.rows)]
        for counts in schedule:
            result = self.step(past, np.array(counts), {**state, **once}, capacity or self.total)
            for row, count in enumerate(counts):
                found[row].append(result[self.output][row : row + 1, :count])
            state = {one.name: result[one.update] for one in self.found.state if one.update is not None}
            past = past + np.array(counts)
        return [np.concatenate(parts, axis=1) for parts in found]

    def step(self, past: Array, counts: Array, state: dict[str, Array], capacity: int) -> dict[str, Array]:
        """One step; rows that get fewer positions than others are filled up with values that mean nothing."""
        given = {name: array for name, array in self.inputs.items() if name not in self.grown}
        for name, type_ in self.grown.items():
            self.sizes[self.length] = max(counts)
            given[name] = self.draw(type_)
            self.sizes[self.length] = self.total
            for row in range(self.rows):
                own = self._cut(name, self._row(name, self.inputs[name], row), past[row], past[row] + counts[row])
                given[name][row, : counts[row]] = own[0]
        everything = {**given, **state, "past": past, "count": counts}
        inputs = {value.name: everything[value.name] for value in self.found.step.inputs}
        return interpret(self.found.step, inputs, self.parameters, {self.length: capacity})

    def _start(self, capacity: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """Buffers full of what an earlier row left, and what is made once."""
        self.sizes[self.length] = capacity
        changing = [one for one in self.found.state if one.update is not None]
        state = {one.name: self.draw(one.type) for one in changing}
        self.sizes[self.length] = self.total
        if self.found.once is None:
            return state, {}
        given = {value.name: self.inputs[value.name] for value in self.found.once.inputs}
        return state, interpret(self.found.once, given, self.parameters)

    def _row(self, name: str, array: Array, row: int) -> Array:
        """The part of an input that is one row's."""
        value = next(value for value in self.graph.inputs if value.name == name)
        return array[row : row + 1] if value.type.shape[:1] == (self.found.rows,) else array

    def _cut(self, name: str, array: Array, first: int, last: int) -> Array:
        axis = list(self.grown[name].shape).index(Dim.of(self.found.length))
        return array.take(range(first, last), axis=axis)


def _symbols(type_: TensorType) -> list[frozenset[object]]:
    return [size.symbols() for size in type_.shape] or [frozenset()]


def largest(run: Stepping, schedule: Sequence[Counts], capacity: int | None = None) -> float:
    """The largest difference of any row's steps from its own full run."""
    worst = 0.0
    for row, found in enumerate(run.steps(schedule, capacity)):
        wanted = run.full(row, found.shape[1])
        difference = np.abs(found - wanted)
        assert np.isfinite(difference).all()
        worst = max(worst, float(difference.max()))
    return worst


def evenly(rows: int, total: int, chunk: int) -> list[Counts]:
    """Every row gets chunks of one size, the last one smaller."""
    starts = range(0, total, chunk)
    return [(min(chunk, total - start),) * rows for start in starts]
