"""Relations between the coordinates of two types whose axes correspond.

A coordinate is one factor of one axis. Where an axis of the output is the same axis of the input split into other
factors, the flat positions agree (up to a shift), and the factors are related as far as constraints on pairs of them
can express it.
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


def count(axes: Iterable[Axis]) -> int:
    """The number of coordinates of some axes."""
    return sum(len(axis.factors) for axis in axes)


def aligned(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Relation:
    """The relation "same position" along each given pair (axis of the output, axis of the input).

    Axes that are in no pair are unconstrained.
    """
    return Relation((atom_of(same_positions(out, inp, axes)),))


def aligned_axes(out: TensorType, inp: TensorType) -> Relation:
    """The relation "same position" along all axes of two types of one shape, however the axes are factored."""
    return aligned(out, inp, ((axis, axis) for axis in range(out.rank)))


def same_positions(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Iterator[Constraint]:
    """The constraints of `aligned`."""
    for left, right in axes:
        yield from flat_equal(numbered(out, left), numbered(inp, right))


def same_coordinates(out: TensorType, inp: TensorType, axes: Iterable[tuple[int, int]]) -> Iterator[Difference]:
    """The constraints of `aligned` on pairs of coordinates: only part of them where the factors of two axes differ."""
    return (found for found in same_positions(out, inp, axes) if isinstance(found, Difference))


def atom_of(constraints: Iterable[Constraint], ranges: Iterable[Range] = ()) -> Atom:
    """An atom made of constraints of both kinds, and ranges."""
    found = tuple(constraints)
    return Atom(
        differences=frozenset(one for one in found if isinstance(one, Difference)),
        ranges=frozenset(ranges),
        flats=frozenset(one for one in found if isinstance(one, Flat)),
    )


def places(type_: TensorType) -> list[Place]:
    """The place of the position on every axis: a coordinate, or a flat form where the axis has factors."""
    return [flat(numbered(type_, axis)) for axis in range(type_.rank)]


def broadcast_axes(out: TensorType, inp: TensorType) -> list[tuple[int, int]]:
    """Pairs (axis of the output, axis of the operand) along which an operand broadcast to `out` is read by position."""
    shift = out.rank - inp.rank
    # Axes are aligned at the end; an axis of size 1 is read at its one position from every output position.
    return [(axis + shift, axis) for axis in range(inp.rank) if inp.axes[axis].size != 1]


def numbered(type_: TensorType, *axes: int) -> Numbered:
    """The coordinates of some axes with their sizes, in order."""
    numbers = type_.coordinates
    return [pair for axis in axes for pair in zip(numbers[axis], type_.axes[axis].factors, strict=True)]


def flat_equal(out: Numbered, inp: Numbered) -> Iterator[Constraint]:
    """Equality of the flat positions of two groups of coordinates that have the same total size.

    The groups are split where the products of their leading factors agree; a piece with one coordinate on each side
    becomes a plain equality.
    """
    if len(out) == 1 == len(inp):
        # Most axes have one factor, and nothing to be split.
        if out[0][1] != 1 and inp[0][1] != 1:
            yield equal(out[0][0], inp[0][0])
        return
    # Coordinates of size 1 are always 0 and would only hide where the groups agree.
    for left, right in _pieces([c for c in out if c[1] != 1], [c for c in inp if c[1] != 1]):
        yield from flat_shifted(left, right, Dim.of(0))


def flat_shifted(out: Numbered, inp: Numbered, shift: Dim) -> Iterator[Constraint]:
    """The constraint `flat(out) - flat(inp) = shift`, and what it implies for the first coordinates.

    With the strides S and T of the first coordinates, `S*i - T*j` differs from the shift only by the remainders, which
    are 0 .. S - 1 and 0 .. T - 1.
    """
    if len(out) == 1 and len(inp) == 1:
        yield equal(out[0][0], inp[0][0], shift)
    elif out and inp:
        left, right = (product(size for _, size in side[1:]).constant for side in (out, inp))
        # A difference has integer coefficients: strides that depend on sizes are only expressed by the flat constraint.
        if left and right:
            low, high = shift - (left - 1), shift + (right - 1)
            yield Difference(out=out[0][0], inp=inp[0][0], a=left, b=right, lo=low, hi=high)
        yield Flat(out=form(flat(out)), inp=form(flat(inp)), lo=shift, hi=shift)


def at_position(inp: Numbered, position: Dim) -> Iterator[Range]:
    """The ranges that fix the coordinates of one flat position of the input, in row-major order."""
    rest = position
    for number, (coordinate, _) in enumerate(inp):
        stride = product(size for _, size in inp[number + 1 :])
        index, rest = rest // stride, rest % stride
        yield Range(side="in", coordinate=coordinate, lo=index, hi=index)


def _pieces(out: Numbered, inp: Numbered) -> Iterator[tuple[Numbered, Numbered]]:
    """The two groups, split wherever the products of their leading sizes agree."""
    # Sizes are compared as polynomials: only a provably equal product is a common cut.
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
