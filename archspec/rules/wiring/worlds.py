"""The worlds that are tried: small sizes, and values of the controls that keep what the inputs promise."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from math import prod

from archspec.algebra.dim import Symbol
from archspec.ir.graph import Graph, Value
from archspec.ir.types import DType
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.compare import Compare
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.relation.atoms import Relation
from archspec.relation.order import ordered
from archspec.rules.reads import Reads, key_of, keys
from archspec.rules.terms import Term, Terms
from archspec.rules.wiring.world import Tensor, World
from archspec.spec import InputSpec, Spec
from archspec.spec.indexed import fitting, indexed

SMALL = 4
"""The smallest size to try for a dim that leads no input, if the dim admits it."""
_BATCH = 2
_RANDOM_WORLDS = 6
_MOST_IDS = 4


def small_sizes(spec: Spec, at_least: int = SMALL, batch: int = _BATCH) -> dict[str, int]:
    """A size for each dim: `batch` for one that only leads inputs, otherwise `at_least` or a little more.

    Sizes are rounded up to the dim's multiple and limited to its range, so they may be larger or smaller.
    """
    inputs = spec.graph.inputs
    leading = {symbol for value in inputs for size in value.type.shape[:1] for symbol in size.symbols()}
    inner = {symbol for value in inputs for size in value.type.shape[1:] for symbol in size.symbols()}
    sizes, wanted = {}, at_least
    for symbol in spec.dims.values():
        leads = symbol in leading and symbol not in inner
        sizes[symbol.name] = _admitted(symbol, batch if leads else wanted)
        # Different dims get different sizes where their ranges allow it, so that no two axes are confused.
        wanted += not leads
    return sizes


def _admitted(symbol: Symbol, wanted: int) -> int:
    """The least admitted size that is not below the wanted one, else the largest size."""
    steps = -(-max(wanted, symbol.min) // symbol.multiple)
    return min(steps * symbol.multiple, symbol.max)


class Inputs:
    """Generates values of the inputs that are not floats."""

    def __init__(self, graph: Graph, specs: Mapping[str, InputSpec], terms: Terms) -> None:
        self.values = [value for value in graph.inputs if value.type.dtype is not DType.FLOAT]
        self.specs = specs
        self.indexed = indexed(graph)
        self.numbers = [term.op.number for term in terms if isinstance(term.op, Compare)]
        self._integers: dict[tuple[Value, frozenset[tuple[str, int]]], list[int]] = {}

    def open(self, sizes: Mapping[str, int], truth: int = 1) -> dict[str, Tensor]:
        """Every bool is `truth`, every integer 0."""
        found = {}
        for value in self.values:
            shape = _shape(value, sizes)
            found[value.name] = Tensor(shape, (truth if value.type.dtype is DType.BOOL else 0,) * prod(shape))
        return found

    def drawn(self, sizes: Mapping[str, int], r: random.Random) -> dict[str, Tensor]:
        """Random values within bounds and promises."""
        found = {}
        for value in self.values:
            shape = _shape(value, sizes)
            rows = [self._row(value, shape[-1] if shape else 1, sizes, r) for _ in range(prod(shape[:-1]))]
            found[value.name] = Tensor(shape, tuple(item for row in rows for item in row))
        return found

    def _row(self, value: Value, length: int, sizes: Mapping[str, int], r: random.Random) -> list[int]:
        """One random row along the last axis: sorted or padded as the input promises."""
        spec = self.specs.get(value.name)
        if value.type.dtype is not DType.BOOL:
            among = self.integers(value, sizes)
            row = [r.choice(among) for _ in range(length)]
            return sorted(row) if spec is not None and spec.sorted else row
        if spec is None or spec.padding == "any":
            return [r.randint(0, 1) for _ in range(length)]
        # At least one: padding promises that some position is true.
        valid = r.randint(1, length)
        row = [int(k < valid) for k in range(length)]
        return row if spec.padding == "right" else row[::-1]

    def integers(self, value: Value, sizes: Mapping[str, int]) -> list[int]:
        """Candidate values of an integer input: small ones, and those around numbers that something compares with."""
        key = (value, frozenset(sizes.items()))
        if key not in self._integers:
            self._integers[key] = self._candidates(value, sizes)
        return self._integers[key]

    def _candidates(self, value: Value, sizes: Mapping[str, int]) -> list[int]:
        # A comparison changes its truth only next to its number.
        near = {round(number.evaluate(sizes)) + step for number in self.numbers for step in (-1, 0, 1)}
        found = {*range(_MOST_IDS + 1), *near}
        if value.type.bound is None:
            most = fitting(self.indexed.get(value.name, ()), sizes, max(found) + 1)
        else:
            most = value.type.bound.value(sizes)
        return sorted(k for k in found if 0 <= k < most)


def _shape(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size.value(sizes) for size in value.type.shape)


def worlds(spec: Spec, terms: Terms, sizes: Mapping[str, int], seed: int = 0) -> Iterator[World]:
    """Worlds of one size: all open, then some at random. The seed makes them the same in every run.

    Random values stay within the bounds, order and padding that the inputs promise: a witness must be an admitted
    input.
    """
    inputs = Inputs(spec.graph, spec.inputs, terms)
    # The open world comes first: its values are the simplest to show.
    yield World(sizes, inputs.open(sizes))
    if inputs.values:
        r = random.Random(seed)
        for _ in range(_RANDOM_WORLDS):
            yield World(sizes, inputs.drawn(sizes, r))


def open_worlds(
    spec: Spec, reads: Reads, sizes: Mapping[str, int], named: Relation, truth: int = 1, seed: int = 0
) -> Iterator[World]:
    """Worlds for lower rules: all masks open, except for the terms that the rule's own mask names, which vary.

    A bool input that no mask reads is `truth`.
    """
    inputs = Inputs(spec.graph, spec.inputs, reads.terms)
    own = {term for atom in named.atoms for term in keys(atom)}
    given = {term: number for term, number in opened(spec.graph, reads).items() if not _related(term, own)}
    yield World(sizes, inputs.open(sizes, truth), given)
    if own:
        r = random.Random(seed)
        for _ in range(_RANDOM_WORLDS):
            yield World(sizes, inputs.drawn(sizes, r), given)


def _related(term: Term, own: Iterable[Term]) -> bool:
    """Whether a term depends on one of the rule's own terms, or one of those on it."""
    return any(term.depends_on(other) or other.depends_on(term) for other in own)


def opened(graph: Graph, reads: Reads) -> dict[Term, int]:
    """The values of the terms of masks and masked pools at which they hide nothing.

    Predicates are true, segments equal and prefixes full. What no input decides, such as windows, stays as it is.
    """
    found: dict[Term, int] = {}
    for node in graph.walk():
        if isinstance(node.op, Attention | MaskedPool):
            for relation in (relation for row in reads.of(node) for relation in row):
                for atom in relation.atoms:
                    for guard in ordered(atom.guards):
                        # A term that masks read with both signs has no value that opens all of them: the first counts.
                        found.setdefault(key_of(guard), int(not guard.negated))
                    for equality in ordered(atom.segments):
                        found.setdefault(key_of(equality), 0)
                    for bound in ordered(atom.prefixes):
                        found.setdefault(key_of(bound), _FULL)
    return {term: number for term, number in found.items() if not term.is_fixed}


# Longer than any axis that is tried.
_FULL = 1 << 30


def reach(relation: Relation) -> int:
    """The largest constant in a relation's differences: windows have an effect only at sizes beyond it."""
    ends = [end for atom in relation.atoms for d in atom.differences for end in (d.lo, d.hi)]
    return max((abs(end.constant) for end in ends if end is not None and end.constant is not None), default=0)
