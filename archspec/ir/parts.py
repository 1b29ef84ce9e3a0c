"""The types and arrays of what one rank holds of a whole value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.placement import Partial, Placement, Shard
from archspec.ir.types import Axis, TensorType

if TYPE_CHECKING:
    from archspec.ir.op import Array


def parts_of(placement: Placement | None, axis: int, ranks: int) -> int:
    """Into how many parts an axis is cut; 1 where it is whole."""
    return ranks // placement.copies if isinstance(placement, Shard) and placement.axis == axis else 1


def part_of_axis(axis: Axis, placement: Placement | None, number: int, ranks: int) -> Axis:
    """A rank's part of an axis, which is axis `number` of what is placed: the outermost factor is divided."""
    count = parts_of(placement, number, ranks)
    return axis if count == 1 else Axis((axis.factors[0] // count, *axis.factors[1:]))


def part_of_type(type_: TensorType, placement: Placement, ranks: int) -> TensorType:
    """The type of what a rank holds of a value."""
    axes = tuple(part_of_axis(axis, placement, number, ranks) for number, axis in enumerate(type_.axes))
    return TensorType(type_.dtype, axes, type_.bound)


def part_number(placement: Shard, rank: int) -> int:
    """Which of the parts a rank has."""
    return rank // placement.copies


def part_of_parameter(whole: Array, placement: Placement, rank: int, ranks: int) -> Array:
    """What a rank uses of a parameter: a part, all of it, or of one that is used as a term zeros but on rank 0."""
    import numpy as np

    if isinstance(placement, Shard):
        parts = np.split(whole, parts_of(placement, placement.axis, ranks), axis=placement.axis)
        found: Array = parts[part_number(placement, rank)]
        return found
    return np.zeros_like(whole) if isinstance(placement, Partial) and rank else whole
