"""The closure of an atom: all ranges that its constraints and the sizes imply, and guards on both sides.

Composition and entailment read the closure; `normal` writes the shortest atom that has it. Where the declared ranges
do not decide a comparison of sizes, the looser constraint is kept, which is sound: a relation may only be too wide.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from archspec.algebra.dim import Dim
from archspec.relation.atoms import ZERO, Atom, Guard, PrefixBound, SegmentEquality, Space
from archspec.relation.forms import Form, Place, as_place, extent, form, plus
from archspec.relation.interval import Interval, no_less, surely_more
from archspec.relation.linear import Line, bounds, exact_image, is_point, negative, reduced
from archspec.relation.order import ordered

_EQUAL = Interval(ZERO, ZERO)
Linear = tuple[int, int, int, int]
"""`(out, inp, a, b)`: the difference `a*i - b*j` of an output and an input coordinate."""


class Closure:
    """A conjunction with its implied ranges. `out` and `inp` hold one interval for each coordinate."""

    __slots__ = ("differences", "flats", "guards", "inp", "out", "prefixes", "segments")

    def __init__(
        self,
        *,
        differences: dict[Linear, Interval],
        out: list[Interval],
        inp: list[Interval],
        guards: frozenset[Guard],
        prefixes: frozenset[PrefixBound],
        segments: frozenset[SegmentEquality],
        flats: dict[tuple[Form, Form], Interval],
    ) -> None:
        self.differences = differences
        self.flats = flats
        self.out = out
        self.inp = inp
        self.guards = guards
        self.prefixes = prefixes
        self.segments = segments

    def lines(self) -> list[Line]:
        """All differences and flat constraints, in one form."""
        found = [
            Line(((out, Dim.of(a)),), ((inp, Dim.of(b)),), interval)
            for (out, inp, a, b), interval in self.differences.items()
        ]
        return found + [Line(*sides, interval) for sides, interval in self.flats.items()]

    def between(self, out: Place, inp: Place) -> list[Interval]:
        """Intervals that all contain the difference of a place of the output and a place of the input."""
        if isinstance(out, int) and isinstance(inp, int) and not self.flats:
            # Both intervals are given: they may have ends that the sizes do not order.
            i, j = self.out[out], self.inp[inp]
            return [plus(i, negative(j)), self.differences.get((out, inp, 1, 1), Interval())]
        return bounds(form(out), form(inp), self.lines(), self.out, self.inp)

    def shift(self, out: Place, inp: Place) -> Dim | None:
        """The constant k with `i - j = k`; None where none is known."""
        if not (isinstance(out, int) and isinstance(inp, int)):
            return next((found.lo for found in self.between(out, inp) if is_point(found)), None)
        found = self.differences.get((out, inp, 1, 1))
        if found is not None and found.lo is not None and found.lo == found.hi:
            return found.lo
        # Two coordinates that each have one possible value differ by a constant as well.
        i, j = self.out[out], self.inp[inp]
        if i.lo is not None and j.lo is not None and i.lo == i.hi and j.lo == j.hi:
            return i.lo - j.lo
        return None

    def shift_onto_out(self, inp: Place) -> tuple[Place, Dim] | None:
        """A place i of the output and k with `i - j = k` for the place j of the input; None where none is known."""
        if isinstance(inp, int) and (found := self._onto_out(inp)) is not None:
            return found
        # Without flat constraints, `_onto_out` has seen every constraint on this coordinate.
        if isinstance(inp, int) and not self.flats:
            return None
        image = exact_image(form(inp), [line.turned() for line in self.lines()], self.inp)
        return None if image is None else (as_place(image[0]), -image[1])

    def shift_onto_in(self, out: Place) -> tuple[Place, Dim] | None:
        """A place j of the input and k with `i - j = k` for the place i of the output; None where none is known."""
        if isinstance(out, int) and (found := self._onto_in(out)) is not None:
            return found
        if isinstance(out, int) and not self.flats:
            return None
        # Several coordinates may be one place of the other side: `4*n + k` is `j` where an axis was split.
        image = exact_image(form(out), self.lines(), self.out)
        return None if image is None else (as_place(image[0]), image[1])

    def _onto_out(self, inp: int) -> tuple[int, Dim] | None:
        """`shift_onto_out` for a single coordinate, by the differences and the ranges alone."""
        for out, other, _, _ in self.differences:
            if other == inp and (k := self.shift(out, inp)) is not None:
                return out, k
        return self._fixed(self.out, self.inp[inp], 1)

    def _onto_in(self, out: int) -> tuple[int, Dim] | None:
        """`shift_onto_in` for a single coordinate, by the differences and the ranges alone."""
        for other, inp, _, _ in self.differences:
            if other == out and (k := self.shift(out, inp)) is not None:
                return inp, k
        return self._fixed(self.inp, self.out[out], -1)

    @staticmethod
    def _fixed(others: list[Interval], own: Interval, sign: int) -> tuple[int, Dim] | None:
        """The first of the other coordinates that has a single possible value, where this one does too, and their
        difference.
        """
        if own.lo is None or own.lo != own.hi:
            return None
        for number, interval in enumerate(others):
            if interval.lo is not None and interval.lo == interval.hi:
                return number, sign * (interval.lo - own.lo)
        return None


@lru_cache(maxsize=1 << 13)
def close(atom: Atom, out: Space, inp: Space) -> Closure | None:
    """The closure of an atom between values with these coordinate sizes; None where no pair is related.

    None is only returned where emptiness is proved for all admitted sizes.
    """
    found = Closure(
        differences={},
        out=[whole(size) for size in out],
        inp=[whole(size) for size in inp],
        guards=atom.guards,
        prefixes=atom.prefixes,
        segments=atom.segments,
        flats={},
    )
    # In a fixed order: `tighter` keeps the first of two ends whose order the sizes leave open.
    for r in ordered(atom.ranges):
        side = found.out if r.side == "out" else found.inp
        side[r.coordinate] = _given(Interval(r.lo, r.hi), side[r.coordinate])
    for d in ordered(atom.differences):
        key = (d.out, d.inp, d.a, d.b)
        # An atom may have several intervals for one pair of coordinates (see `meet`).
        found.differences[key] = tighter(found.differences.get(key, Interval()), Interval(d.lo, d.hi))
    for one in ordered(atom.flats):
        # Reduced first, so that all multiples of one line have one key.
        line = reduced(Line(one.out, one.inp, Interval(one.lo, one.hi)))
        sides = line.left, line.right
        found.flats[sides] = tighter(found.flats.get(sides, Interval()), line.interval)
    return finish(found)


def finish(found: Closure) -> Closure | None:
    """Propagate ranges along differences and flats, and guards along equalities; None where a range is empty."""
    # Two rounds reach the common chains. Stopping early leaves ranges wider, which is sound.
    for _ in range(2):
        spread(found)
    # The constraints are a conjunction, so one that is empty makes the atom empty.
    if any(map(is_empty, (*found.out, *found.inp, *found.differences.values(), *found.flats.values()))):
        return None
    # Guards come after the ranges: coordinates of a single value carry them to the other side as well.
    if found.guards:
        found.guards = frozenset(both_sides(found))
    return found


@lru_cache(maxsize=1 << 12)
def whole(size: Dim) -> Interval:
    """The interval of all positions of an axis of this size."""
    # Cached, so that axes of one size share one interval, which `spread` and `normal` recognise by identity.
    return Interval(ZERO, size - 1)


def is_empty(interval: Interval) -> bool:
    """Whether the interval contains no integer at any admitted size."""
    return interval.lo is not None and interval.hi is not None and surely_more(interval.lo, interval.hi)


def tighter(old: Interval, new: Interval) -> Interval:
    """The intersection of two intervals, as far as it is decided which end is tighter; otherwise the end of `old`."""
    # Keeping the old end where the order is open gives an interval that contains the intersection. Which end that is
    # depends on the order of the calls: see `relation.order`.
    lo, hi = old
    if lo is None or (new.lo is not None and new.lo != lo and no_less(new.lo, lo)):
        lo = new.lo
    if hi is None or (new.hi is not None and new.hi != hi and no_less(hi, new.hi)):
        hi = new.hi
    # The same object where nothing changed: `compose` asks by identity whether a range became tighter.
    return old if lo is old.lo and hi is old.hi else Interval(lo, hi)


def _given(explicit: Interval, size: Interval) -> Interval:
    """An explicit range within an axis: the explicit end is kept unless the axis is proved tighter."""
    # What the axis implies holds without being written; the explicit end would be lost.
    return tighter(explicit, size)


def spread(found: Closure) -> None:
    """Tighten the ranges of both sides by every difference and every flat constraint."""
    for (out, inp, a, b), interval in found.differences.items():
        # An equality between two coordinates of one range adds nothing: the common case, skipped.
        if found.out[out] is found.inp[inp] and a == b and interval == _EQUAL:
            continue
        found.inp[inp] = tighter(found.inp[inp], through_out(found.out[out], interval, a, b))
        found.out[out] = tighter(found.out[out], through_in(found.inp[inp], interval, a, b))
    for (left, right), interval in found.flats.items():
        through_flat(found.out, left, plus(interval, extent(right, found.inp)))
        through_flat(found.inp, right, plus(negative(interval), extent(left, found.out)))


def through_flat(ranges: list[Interval], side: Form, interval: Interval) -> None:
    """Tighten the ranges of the coordinates of a form whose value is in an interval."""
    for k, stride in side:
        # `stride * k` is the value minus the other terms of the form.
        rest = plus(interval, negative(extent(_without(side, k), ranges)))
        ranges[k] = tighter(ranges[k], _divided(rest, stride))


def _without(found: Form, coordinate: int) -> Form:
    return tuple(pair for pair in found if pair[0] != coordinate)


def _divided(interval: Interval, stride: Dim) -> Interval:
    """The integers x with `stride * x` in an interval; unbounded for a stride that depends on a size."""
    divisor, (lo, hi) = stride.constant, interval
    # Only a positive constant keeps the order of the ends; otherwise both are left open, which is sound.
    if divisor is None or divisor <= 0:
        return Interval()
    return Interval(None if lo is None else _up(lo, divisor), None if hi is None else _down(hi, divisor))


def through_out(i: Interval, difference: Interval, a: int, b: int) -> Interval:
    """The range of j implied by `lo <= a*i - b*j <= hi` and the range of i, rounded inwards."""
    # `j = (a*i - d) / b`: the least j belongs to the least i and the largest difference d.
    lo = None if i.lo is None or difference.hi is None else _up(less(_times(a, i.lo), difference.hi), b)
    hi = None if i.hi is None or difference.lo is None else _down(less(_times(a, i.hi), difference.lo), b)
    return Interval(lo, hi)


def through_in(j: Interval, difference: Interval, a: int, b: int) -> Interval:
    """The range of i implied by `lo <= a*i - b*j <= hi` and the range of j, rounded inwards."""
    # `i = (b*j + d) / a`: the least i belongs to the least j and the least difference d.
    lo = None if j.lo is None or difference.lo is None else _up(_times(b, j.lo) + difference.lo, a)
    hi = None if j.hi is None or difference.hi is None else _down(_times(b, j.hi) + difference.hi, a)
    return Interval(lo, hi)


def less(x: Dim, y: Dim) -> Dim:
    """`x - y`, skipping the subtraction of 0."""
    return x - y if y.terms else x


def _times(factor: int, x: Dim) -> Dim:
    return x if factor == 1 else factor * x


def _down(x: Dim, divisor: int) -> Dim:
    return x if divisor == 1 else x // divisor


def _up(x: Dim, divisor: int) -> Dim:
    return x if divisor == 1 else -(-x // divisor)


def both_sides(found: Closure) -> set[Guard]:
    """The guards, and for each its image on the other side where equalities carry it there."""
    result = set(found.guards)
    for guard in found.guards:
        moved = to_in(guard, found) if guard.side == "out" else to_out(guard, found)
        if moved is not None:
            result.add(moved)
    return result


def to_in(guard: Guard, along: Closure) -> Guard | None:
    """A guard on the output of a relation as a guard on its input: `P[i + o]` is `P[j + k + o]` where `i - j = k`.

    None unless every coordinate that indexes the predicate is exact, and all but the last are unshifted.
    """
    places = _places([along.shift_onto_in(coordinate) for coordinate in guard.coordinates])
    if places is None:
        return None
    coordinates, shift = places
    return replace(guard, side="in", coordinates=coordinates, offset=guard.offset + shift)


def to_out(guard: Guard, along: Closure) -> Guard | None:
    """A guard on the input of a relation as a guard on its output: `P[j + o]` is `P[i - k + o]` where `i - j = k`.

    None under the same conditions as `to_in`.
    """
    places = _places([along.shift_onto_out(coordinate) for coordinate in guard.coordinates])
    if places is None:
        return None
    coordinates, shift = places
    return replace(guard, side="out", coordinates=coordinates, offset=guard.offset - shift)


def _places(found: list[tuple[Place, Dim] | None]) -> tuple[tuple[Place, ...], Dim] | None:
    """The coordinates and the shift of the last one; None where a place is missing or another one is shifted."""
    if not found or any(place is None for place in found):
        return None
    places = [place for place in found if place is not None]
    # A guard has one offset, on its last place: a shift of another axis cannot be written down.
    if any(shift != 0 for _, shift in places[:-1]):
        return None
    return tuple(coordinate for coordinate, _ in places), places[-1][1]
