"""The shortest atom with a given closure, so that equal relations mostly have equal atoms.

"Mostly": two different normal forms may still be the same set of pairs, so equality is never used as a refutation.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

from archspec.algebra.dim import Dim
from archspec.relation.atoms import (
    ZERO,
    Atom,
    Difference,
    Flat,
    Guard,
    PrefixBound,
    Range,
    SegmentEquality,
    Side,
    Space,
)
from archspec.relation.closure import Closure, close, through_in, through_out, to_in, whole
from archspec.relation.interval import Interval, no_less
from archspec.relation.linear import bounds, inside


@lru_cache(maxsize=1 << 13)
def normal(atom: Atom, out: Space, inp: Space) -> Atom | None:
    """An atom in normal form; None where no pair is related."""
    found = close(atom, out, inp)
    return None if found is None else shortest(found, out, inp)


def shortest(found: Closure, out: Space, inp: Space) -> Atom | None:
    """The atom of a closure, without the constraints that the others or the sizes imply; None for a contradiction.

    The set of pairs stays the same: only implied constraints are removed.
    """
    guards = frozenset(_one_side(found))
    if contradictory(guards):
        return None
    return Atom(
        differences=frozenset(_differences(found, out, inp)),
        ranges=frozenset(_ranges(found, out, inp)),
        prefixes=frozenset(_prefixes(found.prefixes)),
        guards=guards,
        segments=frozenset(equality for equality in found.segments if not implied(equality, found)),
        flats=frozenset(_flats(found)),
    )


def _flats(found: Closure) -> list[Flat]:
    """Flat constraints that neither the ranges nor the differences imply."""
    if not found.flats:
        return []
    # The differences alone: a flat constraint must not count as implied by itself.
    lines = found.lines()[: len(found.differences)]
    result = []
    for (left, right), (lo, hi) in found.flats.items():
        known = bounds(left, right, lines, found.out, found.inp)
        lo = None if lo is None or inside(known, Interval(lo, None)) else lo
        hi = None if hi is None or inside(known, Interval(None, hi)) else hi
        if lo is not None or hi is not None:
            result.append(Flat(out=left, inp=right, lo=lo, hi=hi))
    return result


def contradictory(guards: frozenset[Guard]) -> bool:
    """Whether a predicate would have to be true and false at one place."""
    if len(guards) < 2:
        return False
    plain, negated = (
        {(g.side, g.predicate, g.coordinates, g.offset) for g in guards if g.negated is sign} for sign in (False, True)
    )
    return not plain.isdisjoint(negated)


def implied(equality: SegmentEquality, found: Closure) -> bool:
    """Whether a segment equality holds because the places of both sides are equal."""
    return all(found.shift(out, inp) == 0 for out, inp in zip(equality.out, equality.inp, strict=True))


def _one_side(found: Closure) -> list[Guard]:
    """Guards on the output are kept only on the input where equalities carry them there."""
    # Closing the atom makes the other side again (`both_sides`).
    return [guard for guard in found.guards if guard.side == "in" or to_in(guard, found) is None]


def _prefixes(bounds: frozenset[PrefixBound]) -> list[PrefixBound]:
    """Prefix bounds, without those that a tighter bound by the same prefix implies."""
    return [
        bound
        for bound in bounds
        if not any(
            other != bound
            and (other.inp, other.prefix, other.leading) == (bound.inp, bound.prefix, bound.leading)
            and no_less(ZERO + bound.offset, ZERO + other.offset)
            for other in bounds
        )
    ]


def _differences(found: Closure, out: Space, inp: Space) -> list[Difference]:
    """Differences without ends that the sizes imply, in lowest terms with ends rounded inwards."""
    result = []
    for (o, j, a, b), interval in found.differences.items():
        # An equality is never shortened: renamings and `Closure.shift` recognise it by its two equal ends.
        lo, hi = interval
        if lo is not None and lo == hi:
            # Both coordinates are 0 here, so the equality says nothing.
            if out[o] == 1 and inp[j] == 1:
                continue
        else:
            # What the sizes alone imply says nothing.
            if lo is not None and lo.terms and no_less(-b * (inp[j] - 1), lo):
                lo = None
            if hi is not None and hi.terms and no_less(hi, a * (out[o] - 1)):
                hi = None
        if lo is not None or hi is not None:
            shared = gcd(a, b)
            if shared > 1:
                lo, hi = (None if lo is None else -(-lo // shared)), (None if hi is None else hi // shared)
            result.append(Difference(out=o, inp=j, a=a // shared, b=b // shared, lo=lo, hi=hi))
    return result


def _ranges(found: Closure, out: Space, inp: Space) -> list[Range]:
    """Ranges tighter than the axis; a range of the output only where that of the input does not imply it."""
    result: list[Range] = []
    left = [_within_axis(interval, size) for interval, size in zip(found.out, out, strict=True)]
    right = [_within_axis(interval, size) for interval, size in zip(found.inp, inp, strict=True)]
    if all(interval is _OPEN for interval in (*left, *right)):
        return result
    for (o, j, a, b), interval in found.differences.items():
        if left[o] != _OPEN:
            left[o] = _unless(left[o], through_in(_filled(right[j], inp[j]), interval, a, b))
    for (o, j, a, b), interval in found.differences.items():
        # Ends that were dropped count as open from here on, so that no two ranges are dropped in favour of each other.
        if right[j] != _OPEN:
            right[j] = _unless(right[j], through_out(_filled(left[o], out[o]), interval, a, b))
    sides: tuple[tuple[Side, list[Interval]], ...] = (("out", left), ("in", right))
    for side, intervals in sides:
        for coordinate, (lo, hi) in enumerate(intervals):
            if lo is not None or hi is not None:
                result.append(Range(side=side, coordinate=coordinate, lo=lo, hi=hi))
    return result


_OPEN = Interval()


def _within_axis(interval: Interval, size: Dim) -> Interval:
    """The interval without the ends that the axis implies."""
    if interval is whole(size):
        return _OPEN
    lo, hi = interval
    if lo is not None and no_less(ZERO, lo):
        lo = None
    if hi is not None and no_less(hi, size - 1):
        hi = None
    return Interval(lo, hi)


def _filled(interval: Interval, size: Dim) -> Interval:
    """The interval with the ends of the axis where it is open."""
    return Interval(
        ZERO if interval.lo is None else interval.lo,
        size - 1 if interval.hi is None else interval.hi,
    )


def _unless(interval: Interval, implied: Interval) -> Interval:
    """The ends of the interval that `implied` does not imply."""
    lo, hi = interval
    if lo is not None and implied.lo is not None and no_less(implied.lo, lo):
        lo = None
    if hi is not None and implied.hi is not None and no_less(hi, implied.hi):
        hi = None
    return Interval(lo, hi)
