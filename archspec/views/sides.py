"""Which coordinates of two values a picture or a formula of their relation numbers."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.coordinates import coordinates
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.relation.atoms import ZERO, Atom, Relation, Side
from archspec.relation.forms import all_used, used


def positions(relation: Relation, value: Value, other: Value, side: Side) -> list[int]:
    """The coordinates of a value that number its positions: those that the relation tells apart.

    Left out are the row of a batch that both values lead with and, where other coordinates are compared, those that
    are only handed on, as features and channels are. Where the relation tells none apart they are told by the type.
    """
    rows = _rows(value, other)
    told = sorted({place for atom in relation.atoms for place in _named(atom, side)} - rows)
    plain = [place for place in _numbered(value) if place not in rows]
    if len(told) <= (1 if value.type.rank < 4 else 2):
        return told or plain
    moved = sorted({place for atom in relation.atoms for place in _moved(atom, side)} - rows)
    return moved or [place for place in told if place in plain] or told


def _rows(value: Value, other: Value) -> set[int]:
    shared = value.type.rank > 0 and other.type.rank > 0 and value.type.axes[0] == other.type.axes[0]
    return set(coordinates(value.type)[0]) if shared else set()


def _numbered(value: Value) -> list[int]:
    """By the type alone: of floats all but the last axis, of maps all but the channels."""
    axes = list(range(value.type.rank))
    if value.type.dtype is DType.FLOAT:
        axes = axes[:-1] if value.type.rank < 4 else [0, *axes[2:]]
    places = coordinates(value.type)
    return [k for axis in axes for k in places[axis]]


def _named(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates that an atom constrains."""
    yield from (d.out if side == "out" else d.inp for d in atom.differences)
    yield from _beside_differences(atom, side)


def _moved(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates that an atom constrains otherwise than by handing them on."""
    for d in atom.differences:
        if not (d.a == d.b == 1 and d.lo is not None and d.lo == d.hi == ZERO):
            yield d.out if side == "out" else d.inp
    yield from _beside_differences(atom, side)


def _beside_differences(atom: Atom, side: Side) -> Iterator[int]:
    yield from (r.coordinate for r in atom.ranges if r.side == side)
    for guard in atom.guards:
        yield from all_used(guard.coordinates) if guard.side == side else ()
    for equality in atom.segments:
        yield from all_used(equality.out if side == "out" else equality.inp)
    for bound in atom.prefixes:
        yield from all_used((bound.inp, *bound.leading)) if side == "in" else ()
    for one in atom.flats:
        yield from used(one.out if side == "out" else one.inp)


def axis_of(value: Value, coordinate: int) -> str:
    """`axis 2`, or `axis 2, rows` where its size is named: the axis of a coordinate."""
    for number, places in enumerate(coordinates(value.type)):
        if coordinate in places:
            size = value.type.space[coordinate]
            return f"axis {number}, {size}" if size.symbols() else f"axis {number}"
    raise IndexError(f"{value.type} has no coordinate {coordinate}")
