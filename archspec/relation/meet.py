"""Conjunction of relations: a pair is related where both relations relate it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from archspec.relation.atoms import Atom, Difference, Guard, Range, Relation
from archspec.relation.interval import Interval, conjunction, empty
from archspec.relation.order import ordered

K = TypeVar("K", bound=Hashable)


def meet(left: Relation, right: Relation) -> Relation:
    """The pairs that are in both relations; atoms that are proved empty are dropped."""
    found = (both(a, b) for a in left.atoms for b in right.atoms)
    return Relation(tuple(dict.fromkeys(atom for atom in found if atom is not None)))


def both(left: Atom, right: Atom) -> Atom | None:
    """The conjunction of two atoms; None where no pair satisfies it."""
    guards = left.guards | right.guards
    differences = _by_key(
        ((d.out, d.inp, d.a, d.b), Interval(d.lo, d.hi)) for d in ordered(left.differences | right.differences)
    )
    # `conjunction` keeps both of two intervals that no size orders, so a meet is exact where a closure is not.
    ranges = _by_key(((r.side, r.coordinate), Interval(r.lo, r.hi)) for r in ordered(left.ranges | right.ranges))
    if any(map(empty, (*differences.values(), *ranges.values()))) or _contradictory(guards):
        return None
    return Atom(
        differences=frozenset(
            Difference(out=out, inp=inp, a=a, b=b, lo=lo, hi=hi)
            for (out, inp, a, b), intervals in differences.items()
            for lo, hi in intervals
        ),
        ranges=frozenset(
            Range(side=side, coordinate=coordinate, lo=lo, hi=hi)
            for (side, coordinate), intervals in ranges.items()
            for lo, hi in intervals
        ),
        prefixes=left.prefixes | right.prefixes,
        guards=guards,
        segments=left.segments | right.segments,
        flats=left.flats | right.flats,
    )


def _by_key(keyed: Iterable[tuple[K, Interval]]) -> dict[K, tuple[Interval, ...]]:
    """Intervals on the same key intersected; several are kept where the sizes do not order them, so nothing is lost."""
    found: dict[K, list[Interval]] = {}
    for key, interval in keyed:
        found.setdefault(key, []).append(interval)
    return {key: conjunction(intervals) for key, intervals in found.items()}


def _contradictory(guards: frozenset[Guard]) -> bool:
    # Guards at literally the same place only: a contradiction that is missed leaves an atom without pairs, which is
    # harmless.
    plain, negated = (
        {(g.side, g.predicate, g.coordinates, g.offset) for g in guards if g.negated is sign} for sign in (False, True)
    )
    return not plain.isdisjoint(negated)
