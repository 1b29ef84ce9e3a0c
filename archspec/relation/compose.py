"""Composition of relations: what is read through an intermediate value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from math import gcd

from archspec.algebra.dim import Dim
from archspec.relation.atoms import NOTHING, Atom, Guard, PrefixBound, Relation, SegmentEquality, Space, identity
from archspec.relation.closure import (
    Closure,
    Linear,
    close,
    finish,
    is_empty,
    through_flat,
    through_in,
    through_out,
    tighter,
    to_in,
    to_out,
)
from archspec.relation.forms import Place, as_place, extent, form, plus
from archspec.relation.interval import Interval
from archspec.relation.linear import Line, images, negative, reduced
from archspec.relation.normal import contradictory, shortest
from archspec.relation.rename import renamed_in, renamed_out, renaming
from archspec.relation.union import union


@lru_cache(maxsize=1 << 13)
def compose(left: Relation, right: Relation, out: Space, middle: Space, inp: Space) -> Relation:
    """The pairs (i, j) for which some m has (i, m) in `left` and (m, j) in `right`, or a superset of them.

    Args:
        left: relation of the output to the intermediate value.
        right: relation of the intermediate value to the input.
        out: sizes of the coordinates of i.
        middle: sizes of the coordinates of m.
        inp: sizes of the coordinates of j.

    Returns:
        a relation in normal form. It contains the exact composition; constraints that cannot be carried over m are
        dropped.
    """
    if not left.atoms or not right.atoms:
        return NOTHING
    # The sizes must agree: an equality between axes of other sizes also restricts the longer one.
    if out == middle and left == identity(len(out)):
        return right
    if middle == inp and right == identity(len(inp)):
        return left
    # Composition distributes over union, so the atoms are composed in pairs.
    found = (composed(a, b, out, middle, inp) for a in left.atoms for b in right.atoms)
    return union((atom for atom in found if atom is not None), out, inp)


def composed(left: Atom, right: Atom, out: Space, middle: Space, inp: Space) -> Atom | None:
    """The composition of two atoms in normal form; None where no pair is related."""
    # Most ops only rename coordinates; their composition needs no closure.
    names = renaming(left, out, middle)
    found = None if names is None else renamed_out(names, right, middle, inp)
    if found is None:
        names = renaming(right, middle, inp)
        found = None if names is None else renamed_in(left, {m: j for j, m in names.items()}, out, middle)
    return worked_out(left, right, out, middle, inp) if found is None else found


def worked_out(left: Atom, right: Atom, out: Space, middle: Space, inp: Space) -> Atom | None:
    """The composition of any two atoms in normal form, by their closures; None where no pair is related."""
    a, b = close(left, out, middle), close(right, middle, inp)
    if a is None or b is None:
        return None
    between = _between(a, b)
    if between is None:
        return None
    met = Closure(
        differences=_differences(a, b),
        out=_seen_from_out(a, between),
        inp=_seen_from_in(b, between),
        guards=_guards(a, b),
        # A prefix bound is about the input alone: those of `b` stay as they are.
        prefixes=frozenset((*b.prefixes, *_moved_prefixes(a, b))),
        segments=frozenset(_segments(a, b)),
        flats={},
    )
    if a.flats or b.flats:
        _add_flats(met, a, b, between)
    # That no pair is left may only show now, where the constraints of both atoms are together.
    done = finish(met)
    return None if done is None else shortest(done, out, inp)


def _add_flats(met: Closure, a: Closure, b: Closure, between: list[Interval]) -> None:
    """Combine the lines of both sides into lines between output and input, cancelling the coordinates of m."""
    above = [line.turned() for line in a.lines()]
    for line in b.lines():
        # A line without coordinates of m holds as it is.
        if not line.left:
            _add(met, line)
        for other, interval in images(line.left, above, between):
            _add(met, Line(other, line.right, plus(line.interval, negative(interval))))
    for line in a.lines():
        if not line.right:
            _add(met, line)
        for other, interval in images(line.right, b.lines(), between):
            _add(met, Line(line.left, other, plus(line.interval, interval)))


def _add(met: Closure, line: Line) -> None:
    """Add one line to the result, as a difference where it has one coordinate with a constant stride on each side."""
    left, right, interval = reduced(line)
    if not (left or right) or interval == Interval():
        return
    a, b = (side[0][1].constant if len(side) == 1 else None for side in (left, right))
    # A difference has one coordinate on each side, with strides that depend on no size.
    if a and b:
        key = (left[0][0], right[0][0], a, b)
        met.differences[key] = tighter(met.differences.get(key, Interval()), interval)
    else:
        met.flats[left, right] = tighter(met.flats.get((left, right), Interval()), interval)


def _between(a: Closure, b: Closure) -> list[Interval] | None:
    """The ranges of m; None where one is empty, or where a predicate must be true and false at the same m."""
    result = []
    for left, right in zip(a.inp, b.out, strict=True):
        met = tighter(left, right)
        # `tighter` may keep the looser of two ends, so the ends of the two sides are also compared directly.
        if is_empty(met) or is_empty(Interval(left.lo, right.hi)) or is_empty(Interval(right.lo, left.hi)):
            return None
        result.append(met)
    if a.guards and b.guards:
        # The guards of `b` on its output and those of `a` on its input are about the same value, m.
        inside = {replace(guard, side="in") for guard in b.guards if guard.side == "out"}
        if contradictory(frozenset(inside | {guard for guard in a.guards if guard.side == "in"})):
            return None
    return result


def _seen_from_out(a: Closure, between: list[Interval]) -> list[Interval]:
    """The ranges of i, tightened by the ranges of m that `b` adds."""
    result = list(a.out)
    for (out, m, p, q), interval in a.differences.items():
        # Another object only where `b` made the range tighter: `a` has used its own range already.
        if between[m] is not a.inp[m]:
            result[out] = tighter(result[out], through_in(between[m], interval, p, q))
    for (left, right), interval in a.flats.items():
        if any(between[m] is not a.inp[m] for m, _ in right):
            through_flat(result, left, plus(interval, extent(right, between)))
    return result


def _seen_from_in(b: Closure, between: list[Interval]) -> list[Interval]:
    """The ranges of j, tightened by the ranges of m that `a` adds."""
    result = list(b.inp)
    for (m, inp, p, q), interval in b.differences.items():
        if between[m] is not b.out[m]:
            result[inp] = tighter(result[inp], through_out(between[m], interval, p, q))
    for (left, right), interval in b.flats.items():
        if any(between[m] is not b.out[m] for m, _ in left):
            through_flat(result, right, plus(negative(interval), extent(left, between)))
    return result


def _differences(a: Closure, b: Closure) -> dict[Linear, Interval]:
    """Differences that eliminate m.

    `[l1, h1]` on (p, q) and `[l2, h2]` on (r, s) give `[r*l1 + q*l2, r*h1 + q*h2]` on (p*r, q*s), divided by the common
    factor of its coefficients.
    """
    result: dict[Linear, Interval] = {}
    for (out, m, p, q), first in a.differences.items():
        for (n, inp, r, s), second in b.differences.items():
            if m == n:
                shared = gcd(p * r, q * s)
                # The divided difference is an integer, so its ends may be rounded inwards.
                lo = _up(_sum(r, first.lo, q, second.lo), shared)
                hi = _down(_sum(r, first.hi, q, second.hi), shared)
                if lo is not None or hi is not None:
                    key = (out, inp, p * r // shared, q * s // shared)
                    # Several coordinates of m may lead to one pair: all of their intervals hold.
                    result[key] = tighter(result.get(key, Interval()), Interval(lo, hi))
    return result


def _sum(r: int, x: Dim | None, q: int, y: Dim | None) -> Dim | None:
    """`r*x + q*y`; None, that is infinite, where one of the ends is."""
    if x is None or y is None:
        return None
    return (x if r == 1 else r * x) + (y if q == 1 else q * y)


def _down(x: Dim | None, divisor: int) -> Dim | None:
    return x if divisor == 1 or x is None else x // divisor


def _up(x: Dim | None, divisor: int) -> Dim | None:
    return x if divisor == 1 or x is None else -(-x // divisor)


def _guards(a: Closure, b: Closure) -> frozenset[Guard]:
    """Guards on i are kept from the left, those on j from the right; those on m move where equalities carry them.

    A guard on m that no equality carries is dropped: dropping a constraint only widens the result.
    """
    if not a.guards and not b.guards:
        return frozenset()
    kept = {guard for guard in a.guards if guard.side == "out"} | {guard for guard in b.guards if guard.side == "in"}
    for guard in a.guards:
        if guard.side == "in" and (moved := to_in(replace(guard, side="out"), b)) is not None:
            kept.add(moved)
    for guard in b.guards:
        if guard.side == "out" and (moved := to_out(replace(guard, side="in"), a)) is not None:
            kept.add(moved)
    return frozenset(kept)


def _moved_prefixes(a: Closure, b: Closure) -> list[PrefixBound]:
    """`m < p + c` and `m - j >= l` give `j < p + c - l`, where the places that index the prefix are unshifted."""
    result = []
    for bound in a.prefixes:
        # The prefix operand has no offsets on its leading axes: they must be the same on the other side.
        leading = [b.shift_onto_in(coordinate) for coordinate in bound.leading]
        if any(place is None or place[1] != 0 for place in leading):
            continue
        places = tuple(place[0] for place in leading if place is not None)
        for inp, interval in _seen(bound.inp, b):
            # Without a least `m - j`, m may be in the prefix and j anywhere behind it.
            if interval.lo is not None:
                result.append(replace(bound, inp=inp, leading=places, offset=bound.offset - interval.lo))
    return result


def _seen(place: Place, b: Closure) -> Iterator[tuple[Place, Interval]]:
    """Places of the input, each with an interval that contains the difference of the intermediate place and it."""
    if isinstance(place, int) and not b.flats:
        for (m, inp, p, q), interval in b.differences.items():
            # A scaled difference would scale the length of the prefix too, and a bound has no factor.
            if m == place and p == q == 1:
                yield inp, interval
        return
    for other, interval in images(form(place), b.lines(), b.out):
        yield as_place(other), interval


def _segments(a: Closure, b: Closure) -> list[SegmentEquality]:
    """Segment equalities that survive: joined with an equality of the same operand, or carried by a zero difference."""
    # Equalities by one operand chain: seg[i] = seg[m] and seg[m] = seg[j].
    result = [
        replace(left, inp=right.inp)
        for left in a.segments
        for right in b.segments
        if left.segments == right.segments and left.inp == right.out
    ]
    for left in a.segments:
        places = [b.shift_onto_in(coordinate) for coordinate in left.inp]
        inp = tuple(place[0] for place in places if place is not None and place[1] == 0)
        # An equality indexes its operand by every axis, so one place that is lost loses all of it.
        if len(inp) == len(places):
            result.append(replace(left, inp=inp))
    for right in b.segments:
        places = [a.shift_onto_out(coordinate) for coordinate in right.out]
        out = tuple(place[0] for place in places if place is not None and place[1] == 0)
        if len(out) == len(places):
            result.append(replace(right, out=out))
    return result
