"""Unions in normal form: no atom contained in another, touching intervals merged, at most `MOST_ATOMS` atoms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

from archspec.relation.atoms import NOTHING, Atom, Difference, Guard, Range, Relation, Space
from archspec.relation.closure import both_sides, close
from archspec.relation.entail import implies
from archspec.relation.interval import Interval, no_less
from archspec.relation.join import join, loss
from archspec.relation.normal import normal

MOST_ATOMS = 12
"""With more atoms than this, atoms are joined, which costs precision but stays sound."""


def union(atoms: Iterable[Atom], out: Space, inp: Space) -> Relation:
    """The union of atoms in normal form, between values with these coordinate sizes.

    Over `MOST_ATOMS`, the two atoms whose join loses least are joined, which widens the relation.
    """
    kept: list[Atom] = []
    for atom in dict.fromkeys(atoms):
        _insert(atom, kept, out, inp)
    while len(kept) > MOST_ATOMS:
        # Each round replaces two atoms by at most one, so the loop ends. `combinations` goes in the order of insertion,
        # and `min` takes the first of equals: the result does not depend on hashes.
        pair = min(combinations(kept, 2), key=lambda pair: loss(*pair))
        for atom in pair:
            kept.remove(atom)
        joined = normal(join(*pair, out, inp), out, inp)
        if joined is not None:
            _insert(joined, kept, out, inp)
    return Relation(tuple(kept)) if kept else NOTHING


def united(relations: Iterable[Relation], out: Space, inp: Space) -> Relation:
    """The union of relations in normal form."""
    found = [relation for relation in relations if relation.atoms]
    if len(found) < 2:
        return found[0] if found else NOTHING
    return union((atom for relation in found for atom in relation.atoms), out, inp)


def in_normal_form(relation: Relation, out: Space, inp: Space) -> Relation:
    """A relation in normal form, whatever form it has."""
    return union((atom for found in relation.atoms if (atom := normal(found, out, inp)) is not None), out, inp)


def _insert(atom: Atom, kept: list[Atom], out: Space, inp: Space) -> None:
    """Add an atom unless another contains it: merge it with one that it touches, and remove those that it contains."""
    if any(contained(atom, other, out, inp) for other in kept):
        return
    kept[:] = [other for other in kept if not contained(other, atom, out, inp)]
    for other in kept:
        merged = _merged(atom, other)
        merged = None if merged is None else normal(merged, out, inp)
        if merged is not None:
            # The merged atom may touch or contain others in turn. The list changes under the loop, which ends here.
            kept.remove(other)
            _insert(merged, kept, out, inp)
            return
    kept.append(atom)


@lru_cache(maxsize=1 << 13)
def contained(left: Atom, right: Atom, out: Space, inp: Space) -> bool:
    """Whether every pair of the first atom is proved to be in the second."""
    # Closing an atom at most doubles its guards, and a guard is implied only by itself.
    if len(right.guards) > 2 * len(left.guards):
        return False
    full = _in_full(left, out, inp)
    return full is None or implies(full, right)


@lru_cache(maxsize=1 << 13)
def _in_full(atom: Atom, out: Space, inp: Space) -> Atom | None:
    """The closure of an atom as an atom; None where no pair is related."""
    found = close(atom, out, inp)
    if found is None:
        return None
    # `implies` reads ranges and guards as they are written, so that all of them are written out.
    ranges = [Range(side="out", coordinate=k, lo=lo, hi=hi) for k, (lo, hi) in enumerate(found.out)]
    ranges += [Range(side="in", coordinate=k, lo=lo, hi=hi) for k, (lo, hi) in enumerate(found.inp)]
    return replace(atom, ranges=frozenset(ranges), guards=frozenset(both_sides(found)))


def _merged(left: Atom, right: Atom) -> Atom | None:
    """One atom for two that differ in one interval or in the sign of one guard; None where there is none."""
    return intervals_merged(left, right) if left.guards == right.guards else without_sign(left, right)


def intervals_merged(left: Atom, right: Atom) -> Atom | None:
    """The atom that is exactly the union of two that differ in one interval; None where there is none."""
    if any(getattr(left, name) != getattr(right, name) for name in ("prefixes", "segments", "guards", "flats")):
        return None
    if left.ranges == right.ranges:
        return _differences_merged(left, right)
    return _ranges_merged(left, right) if left.differences == right.differences else None


def without_sign(left: Atom, right: Atom) -> Atom | None:
    """The atom of two that differ in the sign of one guard, without that guard; None where they differ in more.

    Wider than the union where the guard's index is out of range, since there neither sign holds.
    """
    mine, other = left.guards - right.guards, right.guards - left.guards
    if len(mine) != 1 or len(other) != 1 or replace(left, guards=frozenset()) != replace(right, guards=frozenset()):
        return None
    (guard,) = mine
    opposite: frozenset[Guard] = frozenset((replace(guard, negated=not guard.negated),))
    return replace(left, guards=left.guards & right.guards) if other == opposite else None


def _differences_merged(left: Atom, right: Atom) -> Atom | None:
    """The union of two atoms that differ in the interval of one difference; None for any others."""
    mine, other = left.differences - right.differences, right.differences - left.differences
    if len(mine) != 1 or len(other) != 1:
        return None
    (x,), (y,) = mine, other
    if (x.out, x.inp, x.a, x.b) != (y.out, y.inp, y.a, y.b):
        return None
    both = _touching(Interval(x.lo, x.hi), Interval(y.lo, y.hi))
    if both is None:
        return None
    merged: frozenset[Difference] = frozenset((replace(x, lo=both.lo, hi=both.hi),))
    return replace(left, differences=(left.differences & right.differences) | merged)


def _ranges_merged(left: Atom, right: Atom) -> Atom | None:
    """The union of two atoms that differ in the interval of one range; None for any others."""
    mine, other = left.ranges - right.ranges, right.ranges - left.ranges
    if len(mine) != 1 or len(other) != 1:
        return None
    (x,), (y,) = mine, other
    if (x.side, x.coordinate) != (y.side, y.coordinate):
        return None
    both = _touching(Interval(x.lo, x.hi), Interval(y.lo, y.hi))
    if both is None:
        return None
    merged: frozenset[Range] = frozenset((replace(x, lo=both.lo, hi=both.hi),))
    return replace(left, ranges=(left.ranges & right.ranges) | merged)


def _touching(x: Interval, y: Interval) -> Interval | None:
    """The union of two intervals of integers that are proved to leave no gap; None where that is not shown."""
    for low, high in ((x, y), (y, x)):
        # Integers: an interval that ends at n and one that starts at n + 1 leave no gap.
        starts_first = low.lo is None or (high.lo is not None and no_less(high.lo, low.lo))
        meets = low.hi is None or high.lo is None or no_less(low.hi + 1, high.lo)
        if starts_first and meets:
            if low.hi is None or high.hi is None:
                return Interval(low.lo, None)
            if no_less(high.hi, low.hi):
                return Interval(low.lo, high.hi)
            return Interval(low.lo, low.hi) if no_less(low.hi, high.hi) else None
    return None
