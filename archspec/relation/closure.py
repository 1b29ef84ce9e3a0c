"""What an atom says in full: all ranges that its constraints and the sizes imply, guards on both sides.

Composition and entailment read the closure; `normal` writes the shortest atom that has it. A comparison of sizes that
the declared ranges leave open keeps the looser constraint, which is sound: a relation may only ever be too wide.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from archspec.algebra.dim import Dim
from archspec.relation.atoms import ZERO, Atom, Guard, PrefixBound, SegmentEquality, Space
from archspec.relation.interval import Interval, no_less, surely_more
from archspec.relation.order import ordered

_EQUAL = Interval(ZERO, ZERO)
Linear = tuple[int, int, int, int]
"""`(out, inp, a, b)`: the difference `a*i - b*j` of an output and an input coordinate."""


class Closure:
    """A conjunction with its implied ranges. `out` and `inp` hold one interval for each coordinate."""

    __slots__ = ("differences", "guards", "inp", "out", "prefixes", "segments")

    def __init__(
        self,
        *,
        differences: dict[Linear, Interval],
        out: list[Interval],
        inp: list[Interval],
        guards: frozenset[Guard],
        prefixes: frozenset[PrefixBound],
        segments: frozenset[SegmentEquality],
    ) -> None:
        self.differences = differences
        self.out = out
        self.inp = inp
        self.guards = guards
        self.prefixes = prefixes
        self.segments = segments

    def shift(self, out: int, inp: int) -> Dim | None:
        """k where surely `i - j = k`; None where no such k is known."""
        found = self.differences.get((out, inp, 1, 1))
        if found is not None and found.lo is not None and found.lo == found.hi:
            return found.lo
        i, j = self.out[out], self.inp[inp]
        if i.lo is not None and j.lo is not None and i.lo == i.hi and j.lo == j.hi:
            return i.lo - j.lo
        return None

    def shift_onto_out(self, inp: int) -> tuple[int, Dim] | None:
        """An output coordinate i and k where surely `i - j = k`."""
        for out, other, _, _ in self.differences:
            if other == inp and (k := self.shift(out, inp)) is not None:
                return out, k
        return self._fixed(self.out, self.inp[inp], 1)

    def shift_onto_in(self, out: int) -> tuple[int, Dim] | None:
        """An input coordinate j and k where surely `i - j = k`."""
        for other, inp, _, _ in self.differences:
            if other == out and (k := self.shift(out, inp)) is not None:
                return inp, k
        return self._fixed(self.inp, self.out[out], -1)

    @staticmethod
    def _fixed(others: list[Interval], own: Interval, sign: int) -> tuple[int, Dim] | None:
        """The first of the other coordinates that stands at one place, where this one does too."""
        if own.lo is None or own.lo != own.hi:
            return None
        for number, interval in enumerate(others):
            if interval.lo is not None and interval.lo == interval.hi:
                return number, sign * (interval.lo - own.lo)
        return None


@lru_cache(maxsize=1 << 13)
def close(atom: Atom, out: Space, inp: Space) -> Closure | None:
    """The closure of an atom between values of these sizes; None where surely nothing is related."""
    found = Closure(
        differences={},
        out=[whole(size) for size in out],
        inp=[whole(size) for size in inp],
        guards=atom.guards,
        prefixes=atom.prefixes,
        segments=atom.segments,
    )
    for r in ordered(atom.ranges):
        side = found.out if r.side == "out" else found.inp
        side[r.coordinate] = _given(Interval(r.lo, r.hi), side[r.coordinate])
    for d in ordered(atom.differences):
        key = (d.out, d.inp, d.a, d.b)
        found.differences[key] = tighter(found.differences.get(key, Interval()), Interval(d.lo, d.hi))
    return finish(found)


def finish(found: Closure) -> Closure | None:
    """Spread ranges along differences and guards along equalities."""
    for _ in range(2):
        spread(found)
    if any(map(is_empty, (*found.out, *found.inp, *found.differences.values()))):
        return None
    if found.guards:
        found.guards = frozenset(both_sides(found))
    return found


@lru_cache(maxsize=1 << 12)
def whole(size: Dim) -> Interval:
    """All positions of an axis."""
    return Interval(ZERO, size - 1)


def is_empty(interval: Interval) -> bool:
    """Whether surely no number is inside."""
    return interval.lo is not None and interval.hi is not None and surely_more(interval.lo, interval.hi)


def tighter(old: Interval, new: Interval) -> Interval:
    """Both intervals at once, as far as it is decided which end is the tighter; else the old end."""
    lo, hi = old
    if lo is None or (new.lo is not None and new.lo != lo and no_less(new.lo, lo)):
        lo = new.lo
    if hi is None or (new.hi is not None and new.hi != hi and no_less(hi, new.hi)):
        hi = new.hi
    return old if lo is old.lo and hi is old.hi else Interval(lo, hi)


def _given(explicit: Interval, size: Interval) -> Interval:
    """An explicit range within an axis: it stands unless it is surely looser, for the axis is known anyway."""
    return tighter(explicit, size)


def spread(found: Closure) -> None:
    """Tighten the ranges of both sides through every difference."""
    for (out, inp, a, b), interval in found.differences.items():
        if found.out[out] is found.inp[inp] and a == b and interval == _EQUAL:
            continue
        found.inp[inp] = tighter(found.inp[inp], through_out(found.out[out], interval, a, b))
        found.out[out] = tighter(found.out[out], through_in(found.inp[inp], interval, a, b))


def through_out(i: Interval, difference: Interval, a: int, b: int) -> Interval:
    """The range of j where `lo <= a*i - b*j <= hi` and i is in its range."""
    lo = None if i.lo is None or difference.hi is None else _up(less(_times(a, i.lo), difference.hi), b)
    hi = None if i.hi is None or difference.lo is None else _down(less(_times(a, i.hi), difference.lo), b)
    return Interval(lo, hi)


def through_in(j: Interval, difference: Interval, a: int, b: int) -> Interval:
    """The range of i where `lo <= a*i - b*j <= hi` and j is in its range."""
    lo = None if j.lo is None or difference.lo is None else _up(_times(b, j.lo) + difference.lo, a)
    hi = None if j.hi is None or difference.hi is None else _down(_times(b, j.hi) + difference.hi, a)
    return Interval(lo, hi)


def less(x: Dim, y: Dim) -> Dim:
    """`x - y`, without work where y is 0."""
    return x - y if y.terms else x


def _times(factor: int, x: Dim) -> Dim:
    return x if factor == 1 else factor * x


def _down(x: Dim, divisor: int) -> Dim:
    return x if divisor == 1 else x // divisor


def _up(x: Dim, divisor: int) -> Dim:
    return x if divisor == 1 else -(-x // divisor)


def both_sides(found: Closure) -> set[Guard]:
    """The guards, each also on the other side where equalities carry it there."""
    result = set(found.guards)
    for guard in found.guards:
        moved = to_in(guard, found) if guard.side == "out" else to_out(guard, found)
        if moved is not None:
            result.add(moved)
    return result


def to_in(guard: Guard, along: Closure) -> Guard | None:
    """A guard on the output of a relation as one on its input: `P[i + o]` is `P[j + k + o]` where `i - j = k`.

    None unless every coordinate that indexes the predicate is exact, and all but the last unshifted.
    """
    places = _places([along.shift_onto_in(coordinate) for coordinate in guard.coordinates])
    if places is None:
        return None
    coordinates, shift = places
    return replace(guard, side="in", coordinates=coordinates, offset=guard.offset + shift)


def to_out(guard: Guard, along: Closure) -> Guard | None:
    """A guard on the input of a relation as one on its output: `P[j + o]` is `P[i - k + o]` where `i - j = k`."""
    places = _places([along.shift_onto_out(coordinate) for coordinate in guard.coordinates])
    if places is None:
        return None
    coordinates, shift = places
    return replace(guard, side="out", coordinates=coordinates, offset=guard.offset - shift)


def _places(found: list[tuple[int, Dim] | None]) -> tuple[tuple[int, ...], Dim] | None:
    if not found or any(place is None for place in found):
        return None
    places = [place for place in found if place is not None]
    if any(shift != 0 for _, shift in places[:-1]):
        return None
    return tuple(coordinate for coordinate, _ in places), places[-1][1]
