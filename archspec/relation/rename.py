"""Composition with an atom that only renames coordinates: the common case, which needs no closure.

An atom renames where it consists of equalities alone, each coordinate in at most one, between axes of equal size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from archspec.relation.atoms import ZERO, Atom, Difference, Side, Space
from archspec.relation.forms import Form, Place, all_used, form, moved, used

Names = Mapping[int, int]


@lru_cache(maxsize=1 << 12)
def renaming(atom: Atom, out: Space, inp: Space) -> Names | None:
    """The output coordinate of each input coordinate that equals one; None where the atom says more than that."""
    if atom.ranges or atom.guards or atom.prefixes or atom.segments or atom.flats:
        return None
    names: dict[int, int] = {}
    for d in atom.differences:
        # Between axes of different sizes an equality also restricts a range, which a renaming would lose.
        if not _is_equality(d) or d.inp in names or out[d.out] != inp[d.inp]:
            return None
        names[d.inp] = d.out
    # Two inputs equal to one output are a diagonal, a constraint on the input, and not a renaming.
    return names if len(set(names.values())) == len(names) else None


def renamed_out(names: Names, right: Atom, middle: Space, inp: Space) -> Atom | None:
    """The composition of a renaming and another atom; None where it must be worked out in full."""
    return _renamed(names, right, "out", lambda d: middle[d.out] == inp[d.inp])


def renamed_in(left: Atom, names: Names, out: Space, middle: Space) -> Atom | None:
    """The composition of an atom and a renaming; `names` maps old to new coordinates. None as for `renamed_out`."""
    return _renamed(names, left, "in", lambda d: out[d.out] == middle[d.inp])


def _renamed(names: Names, atom: Atom, side: Side, whole: Callable[[Difference], bool]) -> Atom | None:
    """The atom over other coordinates on one side; None where it must be worked out."""
    # A constraint on a coordinate that the renaming drops must be projected away, which needs the closure.
    if not names.keys() >= set(_used(atom, side)):
        return None
    differences = _differences(names, atom, side, whole)
    if differences is None:
        return None
    if not (atom.ranges or atom.guards or atom.prefixes or atom.segments or atom.flats):
        return Atom(differences=frozenset(differences))
    return Atom(
        differences=frozenset(differences),
        ranges=frozenset(replace(r, coordinate=names[r.coordinate]) if r.side == side else r for r in atom.ranges),
        guards=frozenset(
            replace(g, coordinates=_all(names, g.coordinates)) if g.side == side else g for g in atom.guards
        ),
        prefixes=frozenset(
            replace(b, inp=moved(b.inp, names), leading=_all(names, b.leading)) if side == "in" else b
            for b in atom.prefixes
        ),
        segments=frozenset(
            replace(e, inp=_all(names, e.inp)) if side == "in" else replace(e, out=_all(names, e.out))
            for e in atom.segments
        ),
        flats=frozenset(
            replace(f, out=_form(names, f.out)) if side == "out" else replace(f, inp=_form(names, f.inp))
            for f in atom.flats
        ),
    )


def _used(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates of one side that ranges, guards, prefixes, segments and flats name."""
    yield from (r.coordinate for r in atom.ranges if r.side == side)
    for guard in atom.guards:
        yield from all_used(guard.coordinates) if guard.side == side else ()
    for bound in atom.prefixes:
        yield from all_used((bound.inp, *bound.leading)) if side == "in" else ()
    for equality in atom.segments:
        yield from all_used(equality.inp if side == "in" else equality.out)
    for one in atom.flats:
        yield from used(one.inp if side == "in" else one.out)


def _differences(names: Names, atom: Atom, side: Side, whole: Callable[[Difference], bool]) -> list[Difference] | None:
    """The differences of coordinates that have a new name; None where one without a name constrains the other side."""
    result = []
    for d in atom.differences:
        own = d.out if side == "out" else d.inp
        if own in names:
            result.append(_moved(d, names[own], side))
        # An equality over axes of equal size has a solution for every position, so it can be dropped.
        elif not (_is_equality(d) and whole(d)):
            return None
    return result


def _is_equality(d: Difference) -> bool:
    """Whether a difference is `i = j`."""
    return d.a == d.b == 1 and d.lo is not None and d.lo == d.hi == ZERO


@lru_cache(maxsize=1 << 12)
def _moved(d: Difference, to: int, side: Side) -> Difference:
    return replace(d, out=to) if side == "out" else replace(d, inp=to)


def _all(names: Names, places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple(moved(place, names) for place in places)


def _form(names: Names, found: Form) -> Form:
    return form(moved(found, names))
