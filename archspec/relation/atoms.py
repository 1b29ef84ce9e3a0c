"""Dependence relations: which positions of an input an output position may read.

A relation is a union of atoms, an atom a conjunction of constraints between the output's index i and the input's
index j. Indices are coordinates: the factors of all axes in order, so an axis flattened from (rows, columns) has two.
Coordinates that no constraint mentions are unconstrained. Operands that carry data (a predicate, segment ids, a
prefix length) are named by a key: within one op, the number of its operand.
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
    """`lo <= a*i - b*j <= hi` for output coordinate i and input coordinate j; None is infinite."""

    out: int
    inp: int
    a: int = 1
    b: int = 1
    lo: Dim | None = None
    hi: Dim | None = None


@record
class Flat:
    """`lo <= left - right <= hi` for flat positions, of several coordinates on one side at least; None is infinite."""

    out: Form
    inp: Form
    lo: Dim | None = None
    hi: Dim | None = None


@record
class Range:
    """`lo <= index <= hi` of one coordinate; None is infinite."""

    side: Side
    coordinate: int
    lo: Dim | None = None
    hi: Dim | None = None


@record
class PrefixBound:
    """`j < p[leading] + offset`: the input coordinate is inside a prefix whose length an operand or a Dim gives.

    `leading` names the input's places that index the prefix operand.
    """

    inp: Place
    prefix: Key
    leading: tuple[Place, ...] = ()
    offset: Dim | int = 0


@record
class Guard:
    """A bool operand holds at the given places of one side, one for each of its axes; `offset` is added to the last."""

    side: Side
    predicate: Key
    coordinates: tuple[Place, ...]
    offset: Dim | int = 0
    negated: bool = False


@record
class SegmentEquality:
    """An integer operand has equal values at the places of both sides (the last ones are the positions)."""

    segments: Key
    out: tuple[Place, ...]
    inp: tuple[Place, ...]


@record
class Atom:
    """A conjunction of constraints; none at all relates everything to everything."""

    differences: frozenset[Difference] = frozenset()
    ranges: frozenset[Range] = frozenset()
    prefixes: frozenset[PrefixBound] = frozenset()
    guards: frozenset[Guard] = frozenset()
    segments: frozenset[SegmentEquality] = frozenset()
    flats: frozenset[Flat] = frozenset()


@record(kw_only=False)
class Relation:
    """A union of atoms; no atom relates nothing."""

    atoms: tuple[Atom, ...]

    def __or__(self, other: Relation) -> Relation:
        return Relation(self.atoms + tuple(a for a in other.atoms if a not in self.atoms))


EVERYTHING = Relation((Atom(),))
NOTHING = Relation(())
ZERO = Dim.of(0)


def apart(out: Place, inp: Place, lo: Dim | None, hi: Dim | None) -> Atom:
    """`lo <= i - j <= hi` between a place of the output and one of the input."""
    if isinstance(out, int) and isinstance(inp, int):
        return Atom(differences=frozenset({Difference(out=out, inp=inp, lo=lo, hi=hi)}))
    return Atom(flats=frozenset({Flat(out=form(out), inp=form(inp), lo=lo, hi=hi)}))


@lru_cache(maxsize=1 << 10)
def equal(out: int, inp: int, shift: Dim | int = 0) -> Difference:
    """`i - j = shift` between one output and one input coordinate."""
    return Difference(out=out, inp=inp, lo=Dim.of(shift), hi=Dim.of(shift))


def pairs(coordinates: Iterable[tuple[int, int]]) -> Relation:
    """Equality of the given (output, input) coordinates, nothing else constrained."""
    return Relation((Atom(differences=frozenset(equal(out, inp) for out, inp in coordinates)),))


@lru_cache(maxsize=1 << 6)
def identity(count: int) -> Relation:
    """Equality of the first `count` coordinates."""
    return pairs((k, k) for k in range(count))
