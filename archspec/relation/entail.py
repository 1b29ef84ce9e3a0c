"""Entailment: whether one relation contains another at all sizes and for all values of the operands.

Proofs rest on it, so it errs in one direction only: True is a proof, False is not a refutation.
"""

from __future__ import annotations

from collections.abc import Iterator

from archspec.algebra.dim import Dim, compare
from archspec.relation.atoms import (
    ZERO,
    Atom,
    Difference,
    Flat,
    PrefixBound,
    Range,
    Relation,
    SegmentEquality,
    Side,
    equal,
)
from archspec.relation.forms import Form, Place, form
from archspec.relation.interval import Interval, at_least, at_most, conjunction, empty
from archspec.relation.linear import Line, bounds, inside
from archspec.relation.order import ordered


def entails(left: Relation, right: Relation) -> bool:
    """Whether every pair of `left` is in `right`: each atom of `left` implies some atom of `right`.

    Sufficient but not necessary: an atom that only the union of several atoms contains is not recognised. False means
    that containment was not shown.
    """
    # Sound because an atom of `right` that contains `a` puts all pairs of `a` into the union.
    return all(any(implies(a, b) for b in right.atoms) for a in left.atoms)


def implies(left: Atom, right: Atom) -> bool:
    """Whether one atom implies another: each constraint of `right` follows from `left`.

    Uses that coordinates are never negative, and that i = j implies seg[i] = seg[j].
    """
    return (
        all(_difference(left, wanted) for wanted in right.differences)
        and all(_range(left, wanted) for wanted in right.ranges)
        and all(_prefix(left, wanted) for wanted in right.prefixes)
        # Guards are opaque predicates: one is implied only by itself. The caller closes `left`, so both sides are
        # present.
        and right.guards <= left.guards
        and all(_segment(left, wanted) for wanted in right.segments)
        and all(_flat(left, wanted) for wanted in right.flats)
    )


def _flat(atom: Atom, wanted: Flat) -> bool:
    return inside(_between(atom, wanted.out, wanted.inp), Interval(wanted.lo, wanted.hi))


def _between(atom: Atom, out: Form, inp: Form) -> list[Interval]:
    """Intervals that contain the difference of two forms, from differences, flats and ranges."""
    lines = [Line(((d.out, Dim.of(d.a)),), ((d.inp, Dim.of(d.b)),), Interval(d.lo, d.hi)) for d in atom.differences]
    lines += [Line(one.out, one.inp, Interval(one.lo, one.hi)) for one in atom.flats]
    sides: tuple[tuple[Side, Form], ...] = (("out", out), ("in", inp))
    # An atom does not know how many coordinates there are: those that some constraint names are enough.
    counts = [max((k + 1 for k in _coordinates(atom, side, found)), default=0) for side, found in sides]
    ranges = [[_known(atom, side, k) for k in range(n)] for (side, _), n in zip(sides, counts, strict=True)]
    return bounds(out, inp, lines, *ranges)


def _coordinates(atom: Atom, side: Side, found: Form) -> Iterator[int]:
    yield from (k for k, _ in found)
    for d in atom.differences:
        yield d.out if side == "out" else d.inp
    for one in atom.flats:
        yield from (k for k, _ in (one.out if side == "out" else one.inp))


def _known(atom: Atom, side: Side, coordinate: int) -> Interval:
    """One interval of a coordinate: the first of those that the sizes leave unordered."""
    # Each of them contains the coordinate, so any one gives sound bounds.
    return _extent(atom, side, coordinate)[0]


def _difference(atom: Atom, wanted: Difference) -> bool:
    """Whether the atom implies a difference: by one of its own, by the ranges, or through flat constraints."""
    out, inp = _extent(atom, "out", wanted.out), _extent(atom, "in", wanted.inp)
    found = [Interval(_low(out, inp, wanted), _high(out, inp, wanted))]
    key = (wanted.out, wanted.inp, wanted.a, wanted.b)
    found += [Interval(d.lo, d.hi) for d in atom.differences if (d.out, d.inp, d.a, d.b) == key]
    if atom.flats:
        found += _between(atom, ((wanted.out, Dim.of(wanted.a)),), ((wanted.inp, Dim.of(wanted.b)),))
    return _inside(found, Interval(wanted.lo, wanted.hi))


def _range(atom: Atom, wanted: Range) -> bool:
    """Whether the atom implies a range of one coordinate."""
    return _inside(_extent(atom, wanted.side, wanted.coordinate), Interval(wanted.lo, wanted.hi))


def _inside(intervals: list[Interval], wanted: Interval) -> bool:
    """Whether a conjunction of intervals lies in the wanted one."""
    # An empty atom implies everything.
    return empty(intervals) or (
        any(at_least(interval.lo, wanted.lo) for interval in intervals)
        and any(at_most(interval.hi, wanted.hi) for interval in intervals)
    )


def _extent(atom: Atom, side: Side, coordinate: int) -> list[Interval]:
    """The ranges of a coordinate, as few as the sizes allow; coordinates are never negative."""
    found = [Interval(r.lo, r.hi) for r in ordered(atom.ranges) if (r.side, r.coordinate) == (side, coordinate)]
    return list(conjunction([Interval(ZERO), *found]))


def _low(out: list[Interval], inp: list[Interval], wanted: Difference) -> Dim | None:
    """A lower bound of `a*i - b*j` from the ranges of i and j alone."""
    lows = [interval.lo for interval in out if interval.lo is not None]
    highs = [interval.hi for interval in inp if interval.hi is not None]
    return wanted.a * lows[0] - wanted.b * highs[0] if lows and highs else None


def _high(out: list[Interval], inp: list[Interval], wanted: Difference) -> Dim | None:
    """An upper bound of `a*i - b*j` from the ranges of i and j alone."""
    highs = [interval.hi for interval in out if interval.hi is not None]
    lows = [interval.lo for interval in inp if interval.lo is not None]
    return wanted.a * highs[0] - wanted.b * lows[0] if lows and highs else None


def _prefix(atom: Atom, wanted: PrefixBound) -> bool:
    """Whether the atom has a bound by the same prefix that is at least as tight."""
    # The length is data: only bounds by one prefix, at the same indices, can be compared.
    return any(
        (bound.inp, bound.prefix, bound.leading) == (wanted.inp, wanted.prefix, wanted.leading)
        and compare(bound.offset, "<=", wanted.offset) is True
        for bound in atom.prefixes
    )


def _segment(atom: Atom, wanted: SegmentEquality) -> bool:
    """Whether the atom has the equality, or equates all its places."""
    pairs = zip(wanted.out, wanted.inp, strict=True)
    return wanted in atom.segments or all(_same(atom, out, inp) for out, inp in pairs)


def _same(atom: Atom, out: Place, inp: Place) -> bool:
    """Whether the atom equates a place of the output and a place of the input."""
    if isinstance(out, int) and isinstance(inp, int) and not atom.flats:
        return _difference(atom, equal(out, inp))
    return _flat(atom, Flat(out=form(out), inp=form(inp), lo=ZERO, hi=ZERO))
