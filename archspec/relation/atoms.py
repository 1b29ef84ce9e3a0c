"""Dependence relations: which positions of an input an output position may read.

A relation is a union of atoms, an atom a conjunction of constraints between the output's index i and the input's
index j. Indices are coordinates: the factors of all axes in order, so an axis flattened from (rows, columns) has two.
Coordinates that no constraint mentions are unconstrained. Operands that carry data (a predicate, segment ids, a
prefix length) are named by a key: within one op, the number of its operand.

Soundness: a relation found for a value must contain every dependence at all admitted sizes. It may be too wide, which
costs a proof; it must never be too narrow.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.record import record
from archspec.relation.forms import Form, Place, form

Side = Literal["out", "in"]
Key = Hashable
Space = tuple[Dim, ...]
"""The sizes of the coordinates of one value."""


@record
class Difference:
    """`lo <= a*i - b*j <= hi` for output coordinate i and input coordinate j; an end that is None is infinite."""

    out: int
    inp: int
    a: int = 1
    b: int = 1
    lo: Dim | None = None
    hi: Dim | None = None


@record
class Flat:
    """`lo <= left - right <= hi` for flat positions, with several coordinates on at least one side; None is infinite.

    A difference cannot express it: it relates one coordinate of each side.
    """

    out: Form
    inp: Form
    lo: Dim | None = None
    hi: Dim | None = None


@record
class Range:
    """`lo <= index <= hi` for one coordinate of the output or the input; None is infinite."""

    side: Side
    coordinate: int
    lo: Dim | None = None
    hi: Dim | None = None


@record
class PrefixBound:
    """`j < p[leading] + offset`: the input place is inside a prefix whose length is given by an operand.

    `leading` are the input's places that index the prefix operand.
    """

    inp: Place
    prefix: Key
    leading: tuple[Place, ...] = ()
    offset: Dim | int = 0


@record
class Guard:
    """A bool operand is true (or, if `negated`, false) at the given places of one side, one for each of its axes.

    `offset` is added to the last place. An index outside the operand satisfies neither the guard nor its negation.
    """

    side: Side
    predicate: Key
    coordinates: tuple[Place, ...]
    offset: Dim | int = 0
    negated: bool = False


@record
class SegmentEquality:
    """An integer operand has equal values at the places of both sides, of which the last ones are the positions."""

    segments: Key
    out: tuple[Place, ...]
    inp: tuple[Place, ...]


@record
class Atom:
    """A conjunction of constraints; the empty one relates everything to everything.

    The sets have no order: code whose result could depend on one goes through them by `relation.order`.
    """

    differences: frozenset[Difference] = frozenset()
    ranges: frozenset[Range] = frozenset()
    prefixes: frozenset[PrefixBound] = frozenset()
    guards: frozenset[Guard] = frozenset()
    segments: frozenset[SegmentEquality] = frozenset()
    flats: frozenset[Flat] = frozenset()


@record(kw_only=False)
class Relation:
    """A union of atoms; the empty one relates nothing."""

    atoms: tuple[Atom, ...]

    def __or__(self, other: Relation) -> Relation:
        # Equal atoms alone are dropped: whether one contains another depends on sizes, which a relation does not know.
        return Relation(self.atoms + tuple(a for a in other.atoms if a not in self.atoms))


EVERYTHING = Relation((Atom(),))
NOTHING = Relation(())
ZERO = Dim.of(0)


def apart(out: Place, inp: Place, lo: Dim | None, hi: Dim | None) -> Atom:
    """The atom `lo <= i - j <= hi` for a place i of the output and a place j of the input."""
    if isinstance(out, int) and isinstance(inp, int):
        return Atom(differences=frozenset({Difference(out=out, inp=inp, lo=lo, hi=hi)}))
    return Atom(flats=frozenset({Flat(out=form(out), inp=form(inp), lo=lo, hi=hi)}))


@lru_cache(maxsize=1 << 10)
def equal(out: int, inp: int, shift: Dim | int = 0) -> Difference:
    """The constraint `i - j = shift` for one output and one input coordinate."""
    return Difference(out=out, inp=inp, lo=Dim.of(shift), hi=Dim.of(shift))


def pairs(coordinates: Iterable[tuple[int, int]]) -> Relation:
    """The relation in which the given (output, input) coordinates are equal and nothing else is constrained."""
    return Relation((Atom(differences=frozenset(equal(out, inp) for out, inp in coordinates)),))


@lru_cache(maxsize=1 << 6)
def identity(count: int) -> Relation:
    """The relation in which the first `count` coordinates are equal."""
    return pairs((k, k) for k in range(count))
