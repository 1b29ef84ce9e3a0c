"""Relations between the coordinates of two types whose axes correspond.

A coordinate is one factor of one axis. Where an axis of the output is an axis of the input under other factors,
the flat positions agree (up to a shift), and the factors are related as far as constraints on pairs of them can say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.algebra.dim import Dim, product
from archspec.ir.types import Axis, TensorType
from archspec.relation.atoms import Atom, Difference, Flat, Range, Relation, equal
from archspec.relation.forms import Place, flat, form

Constraint = Difference | Flat

Numbered = Sequence[tuple[int, Dim]]
"""Coordinates with their sizes."""


def coordinates(type_: TensorType) -> list[tuple[int, ...]]:
    """Numbers of the coordinates of every axis."""
    result: list[tuple[int, ...]] = []
    start = 0
    for axis in type_.axes:
        result.append(tuple(range(start, start + len(axis.factors))))
        start += len(axis.factors)
    return result


def count(axes: Iterable[Axis]) -> int:
    """How many coordinates axes have."""
    return sum(len(axis.factors) for axis in axes)


def aligned(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Relation:
    """The same position along each given pair (axis of the output, axis of the input)."""
    return Relation((atom_of(same_positions(out, inp, axes)),))


def aligned_axes(out: TensorType, inp: TensorType) -> Relation:
    """The same position along all axes of two types of one shape, whatever factors they have."""
    return aligned(out, inp, ((axis, axis) for axis in range(out.rank)))


def same_positions(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Iterator[Constraint]:
    """The constraints of `aligned`."""
    for left, right in axes:
        yield from flat_equal(numbered(out, left), numbered(inp, right))


def same_coordinates(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Iterator[Difference]:
    """The constraints of `aligned` on pairs of coordinates; of axes whose factors differ they say only a part."""
    return (found for found in same_positions(out, inp, axes) if isinstance(found, Difference))


def atom_of(constraints: Iterable[Constraint], ranges: Iterable[Range] = ()) -> Atom:
    """An atom of constraints of both kinds."""
    found = tuple(constraints)
    return Atom(
        differences=frozenset(one for one in found if isinstance(one, Difference)),
        ranges=frozenset(ranges),
        flats=frozenset(one for one in found if isinstance(one, Flat)),
    )


def places(type_: TensorType) -> list[Place]:
    """The place of the position on every axis, flat where the axis has factors."""
    return [flat(numbered(type_, axis)) for axis in range(type_.rank)]


def broadcast_axes(out: TensorType, inp: TensorType) -> list[tuple[int, int]]:
    """Pairs of axes along which an operand that is broadcast to `out` is read position by position."""
    shift = out.rank - inp.rank
    return [(axis + shift, axis) for axis in range(inp.rank) if inp.axes[axis].size != 1]


def numbered(type_: TensorType, *axes: int) -> Numbered:
    """The coordinates of some axes, in order, with their sizes."""
    numbers = coordinates(type_)
    return [pair for axis in axes for pair in zip(numbers[axis], type_.axes[axis].factors, strict=True)]


def flat_equal(out: Numbered, inp: Numbered) -> Iterator[Constraint]:
    """Equality of the flat positions that two groups of coordinates of equal total size stand for.

    The groups are cut where their leading factors agree; a piece of one coordinate a side is an equality.
    """
    for left, right in _pieces([c for c in out if c[1] != 1], [c for c in inp if c[1] != 1]):
        yield from flat_shifted(left, right, Dim.of(0))


def flat_shifted(out: Numbered, inp: Numbered, shift: Dim) -> Iterator[Constraint]:
    """Flat position in `out` less flat position in `inp` is `shift`, and what the first coordinates tell of it.

    With strides S and T of the first coordinates, `S*i - T*j` differs from the shift by the remainders alone.
    """
    if len(out) == 1 and len(inp) == 1:
        yield equal(out[0][0], inp[0][0], shift)
    elif out and inp:
        left, right = (product(size for _, size in side[1:]).constant for side in (out, inp))
        if left and right:
            low, high = shift - (left - 1), shift + (right - 1)
            yield Difference(out=out[0][0], inp=inp[0][0], a=left, b=right, lo=low, hi=high)
        yield Flat(out=form(flat(out)), inp=form(flat(inp)), lo=shift, hi=shift)


def at_position(inp: Numbered, position: Dim) -> Iterator[Range]:
    """The coordinates of one flat position of the input."""
    rest = position
    for number, (coordinate, _) in enumerate(inp):
        stride = product(size for _, size in inp[number + 1 :])
        index, rest = rest // stride, rest % stride
        yield Range(side="in", coordinate=coordinate, lo=index, hi=index)


def _pieces(out: Numbered, inp: Numbered) -> Iterator[tuple[Numbered, Numbered]]:
    ends = {size: place for place, size in enumerate(_prefixes(inp), 1)}
    left = right = 0
    for place, size in enumerate(_prefixes(out), 1):
        if ends.get(size, 0) > right:
            yield out[left:place], inp[right : ends[size]]
            left, right = place, ends[size]
    if left < len(out) or right < len(inp):
        yield out[left:], inp[right:]


def _prefixes(group: Numbered) -> Iterator[Dim]:
    size = Dim.of(1)
    for _, factor in group:
        size = size * factor
        yield size
