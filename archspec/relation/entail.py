"""Entailment: whether one relation contains another at all sizes and for all values of the operands."""

from __future__ import annotations

from archspec.algebra.dim import Dim, compare
from archspec.relation.atoms import (
    ZERO,
    Atom,
    Difference,
    PrefixBound,
    Range,
    Relation,
    SegmentEquality,
    Side,
    equal,
)
from archspec.relation.interval import Interval, at_least, at_most, conjunction, empty
from archspec.relation.order import ordered


def entails(left: Relation, right: Relation) -> bool:
    """Whether surely every pair of `left` is in `right`: each atom of `left` implies one of `right`.

    False says only that this was not shown.
    """
    return all(any(implies(a, b) for b in right.atoms) for a in left.atoms)


def implies(left: Atom, right: Atom) -> bool:
    """Whether one atom surely implies another. Coordinates are never negative, and i = j implies seg[i] = seg[j]."""
    return (
        all(_difference(left, wanted) for wanted in right.differences)
        and all(_range(left, wanted) for wanted in right.ranges)
        and all(_prefix(left, wanted) for wanted in right.prefixes)
        and right.guards <= left.guards
        and all(_segment(left, wanted) for wanted in right.segments)
    )


def _difference(atom: Atom, wanted: Difference) -> bool:
    out, inp = _extent(atom, "out", wanted.out), _extent(atom, "in", wanted.inp)
    found = [Interval(_low(out, inp, wanted), _high(out, inp, wanted))]
    key = (wanted.out, wanted.inp, wanted.a, wanted.b)
    found += [Interval(d.lo, d.hi) for d in atom.differences if (d.out, d.inp, d.a, d.b) == key]
    return _inside(found, Interval(wanted.lo, wanted.hi))


def _range(atom: Atom, wanted: Range) -> bool:
    return _inside(_extent(atom, wanted.side, wanted.coordinate), Interval(wanted.lo, wanted.hi))


def _inside(intervals: list[Interval], wanted: Interval) -> bool:
    """Whether a conjunction of intervals lies in the wanted one."""
    return empty(intervals) or (
        any(at_least(interval.lo, wanted.lo) for interval in intervals)
        and any(at_most(interval.hi, wanted.hi) for interval in intervals)
    )


def _extent(atom: Atom, side: Side, coordinate: int) -> list[Interval]:
    found = [Interval(r.lo, r.hi) for r in ordered(atom.ranges) if (r.side, r.coordinate) == (side, coordinate)]
    return list(conjunction([Interval(ZERO), *found]))


def _low(out: list[Interval], inp: list[Interval], wanted: Difference) -> Dim | None:
    """`a*i - b*j` from below, by the ranges alone."""
    lows = [interval.lo for interval in out if interval.lo is not None]
    highs = [interval.hi for interval in inp if interval.hi is not None]
    return wanted.a * lows[0] - wanted.b * highs[0] if lows and highs else None


def _high(out: list[Interval], inp: list[Interval], wanted: Difference) -> Dim | None:
    highs = [interval.hi for interval in out if interval.hi is not None]
    lows = [interval.lo for interval in inp if interval.lo is not None]
    return wanted.a * highs[0] - wanted.b * lows[0] if lows and highs else None


def _prefix(atom: Atom, wanted: PrefixBound) -> bool:
    return any(
        (bound.inp, bound.prefix, bound.leading) == (wanted.inp, wanted.prefix, wanted.leading)
        and compare(bound.offset, "<=", wanted.offset) is True
        for bound in atom.prefixes
    )


def _segment(atom: Atom, wanted: SegmentEquality) -> bool:
    pairs = zip(wanted.out, wanted.inp, strict=True)
    return wanted in atom.segments or all(_difference(atom, equal(out, inp)) for out, inp in pairs)
