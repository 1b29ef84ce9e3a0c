"""Checks that ops share: element types, fixed sizes, axes by number, broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.algebra.dim import Dim, compare
from archspec.ir.op import ShapeError
from archspec.ir.types import Axis, DType, TensorType

FLOAT = (DType.FLOAT,)
INTEGER = (DType.INT64, DType.INT32)
NUMERIC = (*FLOAT, *INTEGER)
BOOL = (DType.BOOL,)


def require(types: Sequence[TensorType], *expected: Sequence[DType]) -> None:
    """Check the element type of each operand; the last entry of `expected` applies to all further operands.

    Raises ShapeError for the first operand of another type.
    """
    for number, found in enumerate(types):
        wanted = expected[min(number, len(expected) - 1)]
        if found.dtype not in wanted:
            name = "an integer type" if wanted == INTEGER else " or ".join(wanted)
            raise ShapeError(f"needs {name}, got {found}", (number,))


def axis_number(type_: TensorType, axis: int, operand: int = 0) -> int:
    """The number of an axis counted from the front. Raises ShapeError where the axis does not exist."""
    if not -type_.rank <= axis < type_.rank:
        raise ShapeError(f"{type_} has no axis {axis}", (operand,))
    return axis % type_.rank


def fits(size: Dim, limit: Dim, what: str, operand: int = 0, help: str | None = None) -> None:
    """Raise ShapeError unless `size <= limit` holds at every admitted size; `what` names the size in the message."""
    # An undecided comparison refuses too: the shape would be wrong at some admitted size.
    if compare(size, "<=", limit) is not True:
        largest = "" if size.is_constant else f", up to {size.maximum()}"
        raise ShapeError(f"{what} is {size}{largest}, which exceeds {limit}", (operand,), help)


def within_bound(ids: TensorType, rows: Dim, what: str, operand: int = 0) -> None:
    """Raise ShapeError where the values of an integer operand may reach `rows`, as far as the type's bound shows.

    An operand without a bound is accepted.
    """
    if ids.bound is not None and compare(ids.bound, "<=", rows) is not True:
        raise ShapeError(f"values below {ids.bound} may be out of range for {what} of size {rows}", (operand,))


def broadcast(*types: TensorType) -> tuple[Axis, ...]:
    """Axes of the operands broadcast against each other, aligned at the end as in PyTorch.

    Of equal axes the one with the most factors is kept. Raises ShapeError with the operands that disagree.
    """
    rank = max(type_.rank for type_ in types)
    return tuple(_broadcast_axis(types, place) for place in range(-rank, 0))


def _broadcast_axis(types: Sequence[TensorType], place: int) -> Axis:
    chosen: tuple[int, Axis] | None = None
    for number, type_ in enumerate(types):
        if -place > type_.rank:
            continue
        axis = type_.axes[place]
        # An axis of size 1 gives way to any other, whose operand a message then names.
        if chosen is None or chosen[1].size == 1:
            chosen = number, axis
        elif axis.size == 1:
            continue
        elif compare(chosen[1].size, "==", axis.size) is not True:
            raise ShapeError(
                f"axis {place} is {chosen[1]} in {types[chosen[0]]} and {axis} in {type_}",
                (chosen[0], number),
                "axes are aligned from the last; sizes must be equal, or one of them 1",
            )
        # More factors keep more relations: the proof can follow each of them through the op.
        elif len(axis.factors) > len(chosen[1].factors):
            chosen = number, axis
    if chosen is None:
        raise ValueError("no operands to broadcast")
    return chosen[1]
