"""The coordinates of two values that a picture or formula of their relation uses as positions."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.relation.atoms import ZERO, Atom, Relation, Side
from archspec.relation.forms import all_used, used


def positions(relation: Relation, value: Value, other: Value, side: Side) -> list[int]:
    """The coordinates of a value that number its positions: those that the relation constrains.

    The batch row that both values share is excluded. If the relation constrains more than one coordinate (more than two
    for a value with four or more axes), those that it only passes on unchanged, such as features and channels, are
    excluded too. If it constrains none, the coordinates are chosen by the type.

    Args:
        relation: the relation between the two values.
        value: the value whose coordinates are returned.
        other: the other value.
        side: the side of the relation on which `value` is.
    """
    rows = _rows(value, other)
    named = sorted({place for atom in relation.atoms for place in _named(atom, side)} - rows)
    plain = [place for place in _numbered(value) if place not in rows]
    # A sequence has one axis of positions, a feature map has two.
    if len(named) <= (1 if value.type.rank < 4 else 2):
        return named or plain
    moved = sorted({place for atom in relation.atoms for place in _moved(atom, side)} - rows)
    return moved or [place for place in named if place in plain] or named


def _rows(value: Value, other: Value) -> set[int]:
    """The coordinates of the first axis if both values share it: those of batch rows."""
    shared = value.type.rank > 0 and other.type.rank > 0 and value.type.axes[0] == other.type.axes[0]
    return set(value.type.coordinates[0]) if shared else set()


def _numbered(value: Value) -> list[int]:
    """Position coordinates by the type alone: for floats all but the last axis, with four axes all but the channels."""
    axes = list(range(value.type.rank))
    if value.type.dtype is DType.FLOAT:
        axes = axes[:-1] if value.type.rank < 4 else [0, *axes[2:]]
    places = value.type.coordinates
    return [k for axis in axes for k in places[axis]]


def _named(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates that an atom constrains."""
    yield from (d.out if side == "out" else d.inp for d in atom.differences)
    yield from _beside_differences(atom, side)


def _moved(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates that an atom constrains in another way than passing them on unchanged."""
    for d in atom.differences:
        if not (d.a == d.b == 1 and d.lo is not None and d.lo == d.hi == ZERO):
            yield d.out if side == "out" else d.inp
    yield from _beside_differences(atom, side)


def _beside_differences(atom: Atom, side: Side) -> Iterator[int]:
    """The coordinates in all constraints of an atom except differences."""
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
    """The axis of a coordinate, as text: `axis 2`, or `axis 2, rows` if its size contains a dim."""
    for number, places in enumerate(value.type.coordinates):
        if coordinate in places:
            size = value.type.space[coordinate]
            return f"axis {number}, {size}" if size.symbols() else f"axis {number}"
    raise IndexError(f"{value.type} has no coordinate {coordinate}")
