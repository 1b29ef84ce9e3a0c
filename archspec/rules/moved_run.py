"""Witnesses of symmetry rules: the graph is run on an input and on the moved input, and the outputs are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from math import ceil, prod
from typing import TYPE_CHECKING
from zlib import crc32

from archspec.analyses.cost import flops
from archspec.analyses.parameters import numbered
from archspec.analyses.shift import movable
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.motion import Moves
from archspec.ir.types import DType
from archspec.oracle.interpreter import Interpretation
from archspec.record import record
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.rules.moves import Trial, apart, moved, moved_input, room, trials
from archspec.rules.terms import Terms
from archspec.rules.wiring.replay import MOST_ELEMENTS, MOST_WEIGHTS
from archspec.rules.wiring.values import filled, keeps
from archspec.rules.wiring.world import World
from archspec.rules.wiring.worlds import small_sizes, worlds
from archspec.spec import Rule, Spec

if TYPE_CHECKING:
    from archspec.ir.op import Array

MOVED = 1e-9
"""The smallest distance of an output from where it should be that counts, relative to its largest value."""
_LENGTHS = (4, 7, 12)
_LONGEST = 512
_DRAWS = 2
MOST_FLOPS = 40_000_000_000
"""All runs against one rule together cost at most so much."""


@record(eq=False)
class MoveWitness:
    """A move that breaks a rule: the sizes, the move, an element of the output, what it is and what it should be.

    `largest` is the largest distance of an element from where it should be, relative to the largest element or to 1.
    """

    sizes: Mapping[str, int]
    trial: Trial
    at: tuple[int, ...]
    found: float
    expected: float
    largest: float


def witness(spec: Spec, rule: Rule, motion: Moves | None, terms: Terms) -> MoveWitness | None:
    """A move of the rule's input that does not move its output as it says, by runs in float64; None if none is found.

    Args:
        spec: the spec.
        rule: a rule with a stride.
        motion: how the output moves, where only positions count whose field is inside the input.
        terms: names of the controls.
    """
    if not movable(spec.graph, rule.input) or weights_of(spec.graph) > MOST_WEIGHTS:
        return None
    left = MOST_FLOPS
    for sizes in _sizes(spec, rule, motion):
        elements = elements_of(spec.graph, sizes)
        # A value without entries is no evidence, and a maximum of none fails.
        if max(elements) > MOST_ELEMENTS or min(elements) == 0:
            continue
        cost = flops(spec.graph).value({"layer": 0, **sizes})
        for world in worlds(spec, terms, sizes):
            for draw in range(_DRAWS):
                left -= 2 * cost
                if left < 0:
                    return None
                found = _broken(spec, rule, motion, world, draw)
                if found is not None:
                    return found
    return None


def _sizes(spec: Spec, rule: Rule, motion: Moves | None) -> Iterator[dict[str, int]]:
    """Sizes at which something can move: small ones or from the field of a position upwards, then the typical ones."""
    known: list[dict[str, int]] = []
    for sizes in _tried(spec, rule, motion):
        if sizes not in known and any(True for _ in trials(rule, sizes, motion)):
            known.append(sizes)
            yield sizes
    # All these lengths may divide the stride, so that a move by it is none: the least one that does not is taken.
    others = (small_sizes(spec, least, batch=1) for least in range(1, min(moved_input(rule), _LONGEST) + 2))
    if not known:
        yield from islice((one for one in others if any(True for _ in trials(rule, one, motion))), 1)


def _tried(spec: Spec, rule: Rule, motion: Moves | None) -> Iterator[dict[str, int]]:
    """The sizes to try first."""
    field = 0 if motion is None else room(motion)
    for least in _LENGTHS if motion is None else (field - 2 * ceil(motion.span), field, 2 * field):
        yield small_sizes(spec, least, batch=1)
    (axis,) = rule.axes[1]
    typical = {one.name: one.typical for one in rule.input.type.shape[axis].symbols() if one.name in spec.dims}
    yield {**small_sizes(spec, batch=1), **typical}


def _broken(spec: Spec, rule: Rule, motion: Moves | None, world: World, draw: int) -> MoveWitness | None:
    """The first move that breaks the rule in one world, with one draw of parameters and float inputs."""
    first = _Run(spec, rule, world, draw)
    before, source = first.run(), first.source
    if before is None or source is None:
        return None
    inputs = Measured(arrays=first.given, sizes=world.sizes)
    given = spec.inputs.get(rule.input.name) if rule.input in spec.graph.inputs else None
    for trial in trials(rule, world.sizes, motion):
        values = moved(source, rule.axes[1][0], trial.by)
        # Rules assume what inputs promise: a move that breaks a promise refutes nothing.
        if given is not None and not keeps(values, given.padding, given.sorted):
            continue
        after = _Run(spec, rule, world, draw, values).run()
        found = None if after is None else _compared(rule, trial, before, after, inputs)
        if found is not None:
            return found
    return None


def _compared(rule: Rule, trial: Trial, before: Array, after: Array, inputs: Measured) -> MoveWitness | None:
    """The element that is farthest from where it should be, where that is more than rounding."""
    import numpy as np

    try:
        found = apart(rule, trial, before, after, inputs)
    except UnmeasurableError:
        return None
    # A value that is not finite is no evidence here: both runs may have one.
    found = np.where(np.isfinite(found), found, 0.0)
    if not found.size or found.max() <= MOVED:
        return None
    at = tuple(int(k) for k in np.unravel_index(int(found.argmax()), found.shape))
    wanted = before if trial.kept is None else moved(before, rule.axes[0][0], trial.out)
    return MoveWitness(
        sizes=inputs.sizes,
        trial=trial,
        at=at,
        found=float(after[at]),
        expected=float(wanted[at]),
        largest=float(found.max()),
    )


class _Done(Exception):
    """Raised to stop a run as soon as the output is known."""


class _Run(Interpretation):
    """A run in one world; the rule's input takes the given values, if there are any."""

    def __init__(self, spec: Spec, rule: Rule, world: World, draw: int, values: Array | None = None) -> None:
        super().__init__({}, world.sizes)
        self.spec, self.rule, self.world, self.draw, self.values = spec, rule, world, draw, values
        self.given: dict[str, Array] = {}
        self.source: Array | None = None
        self.found: Array | None = None

    def run(self) -> Array | None:
        """The value of the rule's output."""
        self.given = {value.name: self._input(value) for value in self.spec.graph.inputs}
        arguments = [self._seen(value, self.given[value.name]) for value in self.spec.graph.inputs]
        with suppress(_Done):
            self.graph(self.spec.graph, arguments, ())
        return self.found

    def made(self, node: Node, results: list[Array]) -> list[Array]:
        """The results of a node, with the source replaced; stops the run once the output is made."""
        found = [self._seen(value, array) for value, array in zip(node.outputs, results, strict=True)]
        if self.found is not None and self.rule.output in node.outputs:
            raise _Done
        return found

    def _seen(self, value: Value, array: Array) -> Array:
        """The array of a value; remembers those of the source and of the output."""
        if value is self.rule.input:
            array = array if self.values is None else self.values
            self.source = array
        if value is self.rule.output:
            self.found = array
        return array

    def _input(self, value: Value) -> Array:
        """The value of a graph input: seeded noise for floats, the world's value otherwise."""
        import numpy as np

        shape = tuple(size.value(self.sizes) for size in value.type.shape)
        if value.type.dtype is DType.FLOAT:
            return np.random.default_rng((crc32(value.name.encode()), self.draw)).normal(size=shape)
        kept = bool if value.type.dtype is DType.BOOL else np.int64
        return np.asarray(self.world.inputs[value.name].items, dtype=kept).reshape(shape)

    def of(self, node: Node, layers: tuple[int, ...]) -> dict[str, Array]:
        """Random parameters, seeded by their names."""
        return {
            local: filled(parameter, numbered(parameter.path, layers), self.draw)
            for local, parameter in node.parameters.items()
        }


def weights_of(graph: Graph) -> int:
    """The number of elements of all parameters."""
    found = {parameter.path: parameter for node in graph.walk() for parameter in node.parameters.values()}
    return sum(parameter.type.elements().value({}) for parameter in found.values())


def elements_of(graph: Graph, sizes: Mapping[str, int]) -> list[int]:
    """The number of elements of every value."""
    known = {"layer": 0, **sizes}
    values = (*graph.inputs, *(value for node in graph.walk() for value in node.outputs))
    return [prod(size.value(known) for size in value.type.shape) for value in values]
