"""Replay of witnesses: the graph is run twice, with only the source changed, and the output must differ.

What an op declares to read may be more than it reads (`reads_more`), and what it reads may cancel. So a rule is only
reported as violated where two runs in float64 confirm it, if the graph is small enough to be run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING
from zlib import crc32

from archspec.analyses.parameters import numbered
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType
from archspec.oracle.interpreter import Interpretation
from archspec.rules.fixed import Fixed
from archspec.rules.origin import Origin, origin
from archspec.rules.wiring.grid import Index
from archspec.rules.wiring.values import MOST_KEPT, filled, keeps, nudged
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import Tensor, World
from archspec.rules.wiring.worlds import Inputs
from archspec.spec import Spec

if TYPE_CHECKING:
    from archspec.ir.op import Array

MOVED = 1e-13
"""The smallest change of an output that counts, relative to its largest value: smaller ones may be rounding."""
MOST_WEIGHTS = 400_000_000
"""A spec with more weights is not run: its witnesses are confirmed by the wiring only."""
MOST_ELEMENTS = 100_000_000
# Numbers of node runs: see `Replay.deep` and `Replay.long`.
FADES = 150
MOST_RUNS = 3000
_TRIALS = 3
_DRAWS = 40


class Replay:
    """Runs of a spec's graph in one world, all with the same parameters and float inputs.

    Args:
        spec: the spec.
        wiring: its wiring, which has the world and the cells.
        output: the value that is observed.
        source: the value that is changed.

    Parameters and float inputs are random and seeded by their names, so that every run has the same values.
    """

    def __init__(self, spec: Spec, wiring: Wiring, output: Value, source: Value) -> None:
        self.spec, self.wiring, self.output, self.source = spec, wiring, output, source
        self.world = wiring.world
        self._shapes: dict[Value, tuple[int, ...]] = {}
        self._unchanged: dict[int, Unchanged] = {}
        self._after: dict[tuple[int, tuple[Index, ...]], Array | None] = {}
        self._moved: dict[tuple[Node, int, int, int], list[Array]] = {}

    @cached_property
    def possible(self) -> bool:
        """Whether the graph is small enough to be run."""
        weights = sum(parameter.type.elements().value({}) for parameter in _parameters(self.spec))
        values = (value for node in self.spec.graph.walk() for value in node.outputs)
        largest = max((prod(size.value(self._sizes) for size in value.type.shape) for value in values), default=0)
        return weights <= MOST_WEIGHTS and largest <= MOST_ELEMENTS

    @cached_property
    def deep(self) -> bool:
        """Whether so many ops run in sequence that a change may fade to nothing numerically."""
        return _runs(self.spec.graph) > FADES

    @cached_property
    def long(self) -> bool:
        """Whether so many ops run that repeated runs of the whole graph would take too long."""
        return _runs(self.spec.graph) > MOST_RUNS

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {"layer": 0, **self.world.sizes}

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.spec.graph, self.spec.inputs, self.wiring.reads.terms)

    def moves(self, i: Index, cells: Iterable[Index]) -> bool:
        """Whether position i of the output changes when the source changes at some cells."""
        cell, at = self._cell(self.output, i), tuple(cells)
        # Contributions may cancel in one trial and not in another.
        return any(self._moves(cell, at, trial) for trial in range(_TRIALS))

    def reads(self, node: Node, place: int, other: int, made: Value, bit: int) -> bool:
        """Whether an output position of one node changes when one operand changes at one position, all else fixed."""
        at = self._cell(made, self.wiring.grid(made).index(bit))

        def moved(trial: int) -> bool:
            found = self._moved_by(node, place, other, trial)[made.index]
            return bool(self._over_coordinates(made, found)[at].any())

        return any(moved(trial) for trial in range(_TRIALS))

    def _moved_by(self, node: Node, place: int, other: int, trial: int) -> list[Array]:
        """Where the outputs of a node change when one cell of an operand changes in a trial."""
        import numpy as np

        key = (node, place, other, trial)
        if key in self._moved:
            return self._moved[key]
        assert isinstance(node.op, Primitive)
        first = self._unchanged_run(0)
        (arguments, parameters), before = first.given_to(node), first.made_by(node)
        cell = self._cell(node.inputs[place], self.wiring.grid(node.inputs[place]).index(other))
        # An op that indexes by this operand would fail beyond its bound.
        bound = node.inputs[place].type.bound
        most = None if bound is None else bound.value(self._sizes) - 1
        changed = self._over_coordinates(node.inputs[place], arguments[place]).copy()
        changed[cell] = nudged(changed[cell], trial, most)
        given = [*arguments[:place], changed.reshape(arguments[place].shape), *arguments[place + 1 :]]
        after = node.op.reference(given, parameters, self._sizes)
        # A value that is not finite is no evidence of a dependence.
        self._moved[key] = [
            (left != right) & np.isfinite(left) & np.isfinite(right) for left, right in zip(before, after, strict=True)
        ]
        return self._moved[key]

    def _cell(self, value: Value, index: Index) -> tuple[slice, ...]:
        """The positions of a cell, as slices over the coordinates of a value."""
        grid, found = self.wiring.grid(value), []
        for starts, size, k in zip(grid.starts, grid.sizes, index, strict=True):
            place = starts.index(k)
            found.append(slice(k, starts[place + 1] if place + 1 < len(starts) else size))
        return tuple(found)

    def _moves(self, i: tuple[slice, ...], cells: tuple[Index, ...], trial: int) -> bool:
        """Whether the output changes in one trial, by more than rounding."""
        import numpy as np

        before, after = self._unchanged_run(trial).found, self._found(cells, trial)
        if before is None or after is None:
            return False
        left, right = (self._over_coordinates(self.output, found)[i].astype(np.float64) for found in (before, after))
        # Only finite values are evidence, and a change below `MOVED` may be rounding.
        both = np.isfinite(left) & np.isfinite(right)
        return bool((np.abs(left - right)[both] > MOVED * max(1.0, float(np.abs(left[both]).max(initial=0)))).any())

    def _unchanged_run(self, trial: int) -> Unchanged:
        """The run of one trial in which nothing is changed."""
        if trial not in self._unchanged:
            self._unchanged[trial] = Unchanged(self, trial)
            self._unchanged[trial].run()
        return self._unchanged[trial]

    def _found(self, cells: tuple[Index, ...], trial: int) -> Array | None:
        """The output with the source changed at some cells; None where it cannot be, or is made after the output."""
        first = self._unchanged_run(trial)
        # A source that is not made before the output cannot move it.
        if first.found is None or first.source is None:
            return None
        key = (trial, cells)
        # Many output positions must not read the same cells: these runs are the same.
        if key not in self._after:
            changed = self._changed(first.source, [self._cell(self.source, index) for index in cells], trial)
            found = None if changed is None else Changed(self, trial, changed).run()
            # One large array for each set of cells would fill the memory.
            if found is not None and found.size > MOST_KEPT:
                return found
            self._after[key] = found
        return self._after[key]

    def _over_coordinates(self, value: Value, array: Array) -> Array:
        """An array with one axis for each coordinate of the value."""
        if value not in self._shapes:
            self._shapes[value] = tuple(size.value(self._sizes) for size in value.type.space)
        return array.reshape(self._shapes[value])

    def _changed(self, before: Array, cells: list[tuple[slice, ...]], trial: int) -> Array | None:
        """The source with other values at some positions that still keep its promises; None where none are found."""
        import numpy as np

        r = np.random.default_rng((trial, 1))
        for draw in range(_DRAWS):
            after = self._over_coordinates(self.source, before).copy()
            other = self._other(after, random.Random(f"{trial} {draw}"))
            for cell in cells:
                # All of them, or some: a predicate may hold at each alone and not at all together.
                if draw == 0 or len(cells) == 1 or r.random() < 0.5:
                    after[cell] = other[cell]
            after = after.reshape(before.shape)
            if not np.array_equal(after, before) and self._admitted(before, after, cells):
                return after
        return None

    def _other(self, now: Array, plain: random.Random) -> Array:
        """Other values of the source, of its dtype."""
        import numpy as np

        if self.source.type.dtype is DType.FLOAT:
            other: Array = now + np.random.default_rng(plain.randrange(1 << 30)).normal(size=now.shape)
            return other
        # The negation changes every position, and drawn values keep what the input promises.
        if self.source.type.dtype is DType.BOOL and plain.random() < 0.5:
            return ~now
        return self._drawn(now, plain)

    def _drawn(self, now: Array, plain: random.Random) -> Array:
        """Random values of an integer or bool source, within its bounds."""
        import numpy as np

        inputs = self._inputs
        if self.source in inputs.values:
            found = inputs.drawn(self.world.sizes, plain)[self.source.name].items
        else:
            among = [0, 1] if self.source.type.dtype is DType.BOOL else inputs.integers(self.source, self.world.sizes)
            found = tuple(plain.choice(among) for _ in range(now.size))
        return np.asarray(found, dtype=now.dtype).reshape(now.shape)

    def _admitted(self, before: Array, after: Array, cells: list[tuple[slice, ...]]) -> bool:
        """Whether a changed input keeps its promises, and the predicate of an `ignores` where it changes."""
        spec = self.spec.inputs.get(self.source.name) if self.source in self.spec.graph.inputs else None
        # Rules assume the promises, so an input that breaks one refutes nothing.
        if spec is not None and not keeps(after, spec.padding, spec.sorted):
            return False
        fixed = self.wiring.reads.fixed
        if fixed is None:
            return True
        # The relations hold for changes at positions where the predicate holds before and after.
        moved = self._over_coordinates(self.source, before != after)
        return self._holds(fixed, self.world, moved) and self._holds(fixed, self._world(after), moved)

    def _world(self, after: Array) -> World:
        """The world with the changed source in it."""
        items = tuple(int(x) for x in after.reshape(-1))
        shape = tuple(size.value(self._sizes) for size in self.source.type.shape)
        return World(self.world.sizes, {**self.world.inputs, self.source.name: Tensor(shape, items)})

    @staticmethod
    def _holds(fixed: Fixed, world: World, at: Array) -> bool:
        """Whether some clause of the predicate holds at every marked position."""
        import numpy as np

        where = np.zeros(at.shape, dtype=bool)
        for clause in fixed.clauses:
            held = np.ones(at.shape, dtype=bool)
            for literal in clause:
                tensor = world.value(literal.term)
                found = np.asarray(tensor.items, dtype=bool).reshape(tensor.shape)
                held &= found.reshape((1,) * (at.ndim - found.ndim) + found.shape) != literal.negated
            where |= held
        return bool(where[at].all())


class _Done(Exception):
    """Raised to stop a run as soon as the output is known."""


class Changed(Interpretation):
    """A run in which the source takes given values; `source` is its value in this run."""

    def __init__(self, replay: Replay, trial: int, values: Array | None = None) -> None:
        super().__init__({}, replay.world.sizes)
        self.replay, self.trial, self.values = replay, trial, values
        self.place: Origin = origin(replay.source)
        self.layers = tuple(run.layer for run in self.place.runs if run.layer is not None)
        self.source: Array | None = None
        self.found: Array | None = None

    def run(self) -> Array | None:
        """The value of the output, or None where no node or input of the graph makes it."""
        graph = self.replay.spec.graph
        arguments = [self._given(value, self.input(value)) for value in graph.inputs]
        for value, array in zip(graph.inputs, arguments, strict=True):
            if value is self.replay.output:
                return array
        with suppress(_Done):
            self.graph(graph, arguments, ())
        return self.found

    def made(self, node: Node, results: list[Array]) -> list[Array]:
        """The results of a node, with the source replaced; stops the run once the output is made."""
        results = [self._given(value, array) for value, array in zip(node.outputs, results, strict=True)]
        for value, array in zip(node.outputs, results, strict=True):
            if value is self.replay.output:
                self.found = array
                raise _Done
        return results

    def _given(self, value: Value, array: Array) -> Array:
        """The array of a value, replaced if it is the source in its own layer."""
        if value is not self.place.value or self.at != self.layers:
            return array
        self.source = array if self.values is None else self.values.reshape(array.shape)
        return self.source

    def input(self, value: Value) -> Array:
        """The value of a graph input: seeded noise for floats, the world's value otherwise."""
        import numpy as np

        shape = tuple(size.value(self.sizes) for size in value.type.shape)
        if value.type.dtype is DType.FLOAT:
            # `hash` of a text differs between processes, `crc32` does not.
            return np.random.default_rng((crc32(value.name.encode()), self.trial)).normal(size=shape)
        kept = bool if value.type.dtype is DType.BOOL else np.int64
        return np.asarray(self.replay.world.inputs[value.name].items, dtype=kept).reshape(shape)

    def of(self, node: Node, layers: tuple[int, ...]) -> dict[str, Array]:
        """Random parameters, seeded by their names."""
        return {
            local: filled(parameter, numbered(parameter.path, layers), self.trial)
            for local, parameter in node.parameters.items()
        }


class Unchanged(Changed):
    """A run in which nothing is changed.

    It remembers what every primitive is given and what it makes of that, in the first layer that runs it.
    """

    def __init__(self, replay: Replay, trial: int) -> None:
        super().__init__(replay, trial)
        self._given_to: dict[Node, tuple[list[Array], tuple[int, ...]]] = {}
        self._made_by: dict[Node, list[Array]] = {}

    def node(self, node: Node, known: Mapping[Value, Array], layers: tuple[int, ...]) -> list[Array]:
        """The results of a node."""
        found = super().node(node, known, layers)
        if isinstance(node.op, Primitive) and node not in self._given_to:
            self._given_to[node] = [known[value] for value in node.inputs], layers
            self._made_by[node] = found
        return found

    def given_to(self, node: Node) -> tuple[list[Array], dict[str, Array]]:
        """The operands and the parameters of a primitive."""
        operands, layers = self._given_to[node]
        return operands, self.of(node, layers)

    def made_by(self, node: Node) -> list[Array]:
        """The results of a primitive."""
        return self._made_by[node]


def _runs(graph: Graph) -> int:
    """The number of node executions, layers counted as often as they run."""
    found = 0
    for node in graph.nodes:
        if isinstance(node.op, Repeat):
            found += sum(node.op.schedule.count(k) * _runs(region) for k, region in enumerate(node.regions))
        else:
            found += 1 + sum(map(_runs, node.regions))
    return found


def _parameters(spec: Spec) -> Iterator[Parameter]:
    """The parameters of a spec, one for each path."""
    found: Mapping[str, Parameter] = {
        parameter.path: parameter for node in spec.graph.walk() for parameter in node.parameters.values()
    }
    yield from found.values()
