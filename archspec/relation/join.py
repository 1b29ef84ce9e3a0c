"""One atom that contains two: the hull of their intervals and the constraints on data that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

from archspec.relation.atoms import ZERO, Atom, Difference, Flat, PrefixBound, Range, SegmentEquality, Space
from archspec.relation.closure import Closure, Linear, both_sides, close, tighter
from archspec.relation.interval import Interval, no_less
from archspec.relation.normal import implied


def join(left: Atom, right: Atom, out: Space, inp: Space) -> Atom:
    """An atom that contains both.

    Used where a union has too many atoms. It drops or loosens constraints and never adds one, so it is sound for what
    is found; what a rule expects must not pass through it (see `relation.wanted`).
    """
    a, b = close(left, out, inp), close(right, out, inp)
    # An empty atom contributes no pair to the union.
    if a is None or b is None:
        return right if a is None else left
    return Atom(
        differences=frozenset(_differences(a, b)),
        ranges=frozenset(_ranges(a, b)),
        prefixes=frozenset(_prefixes(a, b)),
        # Guards are compared on both sides: two atoms may have the same one in different places.
        guards=frozenset(both_sides(a) & both_sides(b)),
        segments=frozenset(_segments(a, b)),
        flats=frozenset(_flats(a, b)),
    )


def loss(left: Atom, right: Atom) -> int:
    """How much precision the join of two atoms gives up: the number of constraints they do not share.

    Constraints on data count four times: nothing else in the atom implies them.
    """
    return (
        len(left.differences ^ right.differences)
        + len(left.ranges ^ right.ranges)
        + 4 * len(left.guards ^ right.guards)
        + 4 * len(left.prefixes ^ right.prefixes)
        + 4 * len(left.segments ^ right.segments)
        + len(left.flats ^ right.flats)
    )


def _differences(a: Closure, b: Closure) -> Iterator[Difference]:
    """The hull of each difference that one of the two atoms has."""
    for key in dict.fromkeys((*a.differences, *b.differences)):
        lo, hi = _hull(_known(a, key), _known(b, key))
        if lo is not None or hi is not None:
            out, inp, p, q = key
            yield Difference(out=out, inp=inp, a=p, b=q, lo=lo, hi=hi)


def _flats(a: Closure, b: Closure) -> Iterator[Flat]:
    """The hull of each flat constraint that one of the two atoms has, from the best intervals known."""
    for left, right in dict.fromkeys((*a.flats, *b.flats)):
        lo, hi = _hull(*(_best(found.between(left, right)) for found in (a, b)))
        if lo is not None or hi is not None:
            yield Flat(out=left, inp=right, lo=lo, hi=hi)


def _best(intervals: Iterable[Interval]) -> Interval:
    """The intersection of intervals, as far as it is decided."""
    return reduce(tighter, intervals, Interval())


def _known(found: Closure, key: Linear) -> Interval:
    """The interval of a difference: as given, else as the ranges of its coordinates imply."""
    if key in found.differences:
        return found.differences[key]
    out, inp, a, b = key
    i, j = found.out[out], found.inp[inp]
    lo = None if i.lo is None or j.hi is None else a * i.lo - b * j.hi
    hi = None if i.hi is None or j.lo is None else a * i.hi - b * j.lo
    return Interval(lo, hi)


def _ranges(a: Closure, b: Closure) -> Iterator[Range]:
    """The hull of every coordinate's range."""
    # Ends that the axis implies are among them; the normal form removes these.
    for coordinate, pair in enumerate(zip(a.out, b.out, strict=True)):
        lo, hi = _hull(*pair)
        yield Range(side="out", coordinate=coordinate, lo=lo, hi=hi)
    for coordinate, pair in enumerate(zip(a.inp, b.inp, strict=True)):
        lo, hi = _hull(*pair)
        yield Range(side="in", coordinate=coordinate, lo=lo, hi=hi)


def _hull(x: Interval, y: Interval) -> Interval:
    """The least interval that contains both; unbounded where it is not decided which end is farther out."""
    lo = hi = None
    if x.lo is not None and y.lo is not None:
        lo = x.lo if no_less(y.lo, x.lo) else y.lo if no_less(x.lo, y.lo) else None
    if x.hi is not None and y.hi is not None:
        hi = x.hi if no_less(x.hi, y.hi) else y.hi if no_less(y.hi, x.hi) else None
    return Interval(lo, hi)


def _prefixes(a: Closure, b: Closure) -> Iterator[PrefixBound]:
    """The looser of two bounds by the same prefix; neither where that is not decided."""
    for x in a.prefixes:
        for y in b.prefixes:
            if (x.inp, x.prefix, x.leading) == (y.inp, y.prefix, y.leading):
                # `+ ZERO` makes a size of the difference of two integers.
                if no_less(x.offset - y.offset + ZERO, ZERO):
                    yield x
                elif no_less(y.offset - x.offset + ZERO, ZERO):
                    yield y


def _segments(a: Closure, b: Closure) -> Iterator[SegmentEquality]:
    """Equalities that both atoms have, or that one has and the other implies."""
    for x, y in ((a, b), (b, a)):
        yield from (equality for equality in x.segments if equality in y.segments or implied(equality, y))
