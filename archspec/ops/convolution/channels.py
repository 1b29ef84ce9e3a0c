"""Channels of convolutions with groups: what divides them, and how they depend on each other, as parts of relations."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.algebra.dim import Dim, compare
from archspec.ir.op import ShapeError
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Atom, Difference, Range


@record(kw_only=False)
class AxisBound:
    """Constraints of one axis."""

    differences: tuple[Difference, ...] = ()
    ranges: tuple[Range, ...] = ()


def conjunction(bounds: Sequence[AxisBound]) -> Atom:
    """The atom with the constraints of all axes."""
    return Atom(
        differences=frozenset(d for bound in bounds for d in bound.differences),
        ranges=frozenset(r for bound in bounds for r in bound.ranges),
    )


def check_channels(x: TensorType, space: int, channels: Dim, groups: int) -> None:
    """Raise ShapeError unless `x` has so many spatial axes, and the groups divide its channels and those made of it."""
    if x.rank != 2 + space:
        raise ShapeError(f"needs batch, channels and {space} spatial axes, got {x}", (0,))
    for what, count in (("input", x.shape[1]), ("output", channels)):
        if groups > 1 and compare(count % groups, "==", 0) is not True:
            raise ShapeError(f"{groups} groups do not divide {count} {what} channels", (0,))


def space_coordinates(x: TensorType) -> frozenset[int]:
    """The coordinates of the spatial axes of a map [b, channels, ...], but for axes of several factors."""
    return frozenset(own[0] for own in x.coordinates[2:] if len(own) == 1)


def group_bounds(x: TensorType, y: TensorType, groups: int) -> list[AxisBound]:
    """The channels of `x` that those of `y` read, both [b, channels, ...].

    One bound per group; a single one for one group, or where each group has one channel on a side.
    """
    inputs, outputs = x.shape[1] // groups, y.shape[1] // groups
    # Channels of several factors have no single coordinate that a bound could be about.
    if groups == 1 or len(x.axes[1].factors) > 1:
        return [AxisBound()]
    # With one channel per group on a side, the single bound is exact.
    if inputs == 1 or outputs == 1:
        return [group_bound(x, y, groups)]
    out, inp = y.coordinates[1][0], x.coordinates[1][0]
    return [
        AxisBound(
            ranges=(
                Range(side="out", coordinate=out, lo=group * outputs, hi=(group + 1) * outputs - 1),
                Range(side="in", coordinate=inp, lo=group * inputs, hi=(group + 1) * inputs - 1),
            )
        )
        for group in range(groups)
    ]


def group_bound(x: TensorType, y: TensorType, groups: int) -> AxisBound:
    """A single bound on channels that contains all groups; no bound if the channels of a group are not constant."""
    inputs, outputs = ((t.shape[1] // groups).constant for t in (x, y))
    if inputs is None or outputs is None:
        return AxisBound()
    # Of `inputs*i - outputs*j` the group cancels: what is left are the places of both channels in their group.
    low, high = Dim.of(-outputs * (inputs - 1)), Dim.of(inputs * (outputs - 1))
    out, inp = y.coordinates[1][0], x.coordinates[1][0]
    return AxisBound((Difference(out=out, inp=inp, a=inputs, b=outputs, lo=low, hi=high),))


def are_side_by_side(size: Dim, kernel: int, stride: int, padding: int) -> bool:
    """Whether windows fill an axis without gaps, so that a part of it has its own ones alone."""
    return kernel <= stride and padding == 0 and compare(size % stride, "==", 0) is True


def written_groups(weight: str, channels: Dim, groups: int) -> str:
    """The source of the number of groups, off a weight whose first axis has this many channels: a part has fewer."""
    each = channels // groups
    return f"{weight}.shape[0]" if each == 1 else f"{weight}.shape[0] // {each}"
