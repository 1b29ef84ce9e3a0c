"""How results move with their operands: rules that several ops share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import broadcast_axes
from archspec.ir.motion import Everywhere, Lost, Motion, Moves, Still, lost
from archspec.ir.types import TensorType

Pairs = Mapping[int, int]
"""Axes of an operand, each with the axis of the result along which it is read at the result's own position."""
T = TypeVar("T")

WHOLE = "reads all positions of the axis that moves, each with a weight of its own"
APART = "has operands that move differently"
TURNED = "uses features that rotary positions have turned"
CUT = "fills up positions that were cut off"
PADDED = "pads the axis with zeros, so that nothing enters at its ends"


def same(*axes: int) -> Pairs:
    """The pairs of axes that have the same number in the operand and in the result."""
    return {axis: axis for axis in axes}


def broadcasting(out: TensorType, inp: TensorType) -> Pairs:
    """The pairs of an operand that is broadcast to the result."""
    return {own: axis for axis, own in broadcast_axes(out, inp)}


def first(found: Iterable[Motion], kind: type[T]) -> T | None:
    """The first motion of a kind."""
    return next((one for one in found if isinstance(one, kind)), None)


def together(operands: Sequence[Motion], pairs: Sequence[Pairs], *, copies: bool = False) -> Motion:
    """The motion of a result that is one function of its operands' entries at its own position, at all positions.

    Args:
        operands: the motions of the operands.
        pairs: for each operand the axes that are read at the same position; others are read as a whole, in order.
        copies: whether entries are only copied, which keeps what rotary positions have turned.
    """
    unknown = first(operands, Everywhere) or first(operands, Lost)
    if unknown is not None:
        return unknown
    found = [_carried(one, own) for one, own in zip(operands, pairs, strict=True) if isinstance(one, Moves)]
    if not found:
        return Still(level=level(operands, pairs))
    if (without := first(found, Lost)) is not None:
        return without
    result, *others = [one for one in found if isinstance(one, Moves)]
    for other in others:
        if other.axis != result.axis or not result.goes_with(other):
            return lost(APART)
        result = joined(result, other)
    if result.angles is not None and not copies:
        result = replace(result.breaks(TURNED), angles=None)
    for number, (one, own) in enumerate(zip(operands, pairs, strict=True)):
        if isinstance(one, Still) and any(out == result.axis and own not in one.level for own, out in own.items()):
            result = result.breaks(f"takes values of absolute positions, which do not move (operand {number})")
    return result


def _carried(one: Moves, pairs: Pairs) -> Moves | Lost:
    """The operand over the axes of the result."""
    if one.axis in pairs:
        return replace(one, axis=pairs[one.axis])
    return Lost(why=one.broken) if one.broken is not None else lost(WHOLE)


def level(operands: Sequence[Motion], pairs: Sequence[Pairs]) -> frozenset[int]:
    """The axes of a still result along which its entries are equal."""
    read = [(one, own, out) for one, axes in zip(operands, pairs, strict=True) for own, out in axes.items()]
    differ = {out for one, own, out in read if not (isinstance(one, Still) and own in one.level)}
    return frozenset(out for _, _, out in read) - differ


def joined(left: Moves, right: Moves) -> Moves:
    """What depends on both of two operands that move together."""
    ends = (left.ends[0] and right.ends[0], left.ends[1] and right.ends[1])
    found = replace(left, low=min(left.low, right.low), high=max(left.high, right.high), ends=ends)
    if left.angles != right.angles:
        found = replace(found.breaks(TURNED), angles=None)
    return found if left.broken is not None else replace(found, broken=right.broken)


def windowed(x: Moves, size: Dim, *, reach: int, stride: int, padding: tuple[int, int]) -> Motion:
    """The motion of windows over the moving axis: result m reads positions `stride * m - padding[0]` and on.

    Args:
        x: the operand, which moves along this axis.
        size: the number of windows.
        reach: the number of positions from the first to the last that a window reads.
        stride: the distance of windows.
        padding: the positions that are added at both ends, which hold something else.
    """
    beyond = (padding[0] > 0, padding[1] > 0)
    field = (Fraction(-padding[0]), Fraction(reach - 1 - padding[0]))
    return resampled(x, size, ratio=Fraction(stride), field=field, beyond=beyond, border=PADDED)


def resampled(
    x: Moves,
    size: Dim,
    *,
    ratio: Fraction,
    field: tuple[Fraction, Fraction],
    beyond: tuple[bool, bool],
    border: str,
    complete: tuple[bool, bool] = (True, True),
) -> Motion:
    """The motion of results that read around places of the moving axis, at the same distances with the same weights.

    Args:
        x: the operand, which moves along this axis.
        size: the number of results.
        ratio: the distance of the places of neighbouring results, in positions of the operand.
        field: result m reads no positions but `ratio * m + field[0]` to `ratio * m + field[1]`.
        beyond: whether at each end some result reads beyond the axis, and so something that does not move.
        border: what it reads there, as a predicate of the node.
        complete: whether at each end every result that would come next reads beyond the axis.
    """
    if not x.is_alone:
        return Lost(why=x.broken) if x.broken is not None else lost("has windows that hold more than what moves")
    if x.move.circular and any(beyond):
        x = x.breaks(border)
    if any(outside and not whole for outside, whole in zip(beyond, x.ends, strict=True)):
        x = x.breaks(CUT)
    step = x.step / ratio
    if step.denominator != 1:
        x = x.breaks(f"has stride {ratio}, which does not divide a move by {x.step}")
    low, high = x.low + x.span * field[0], x.high + x.span * field[1]
    ends = (x.ends[0] and complete[0], x.ends[1] and complete[1])
    return replace(x, size=size, step=step, low=low, high=high, ends=ends)


def gathered(x: Moves) -> Motion:
    """The motion of what is made of all positions of the moving axis, in no order: a mean, a maximum."""
    if not x.move.circular:
        return Everywhere()
    if x.broken is not None:
        return Lost(why=x.broken)
    if x.angles is not None:
        return lost(TURNED)
    # Only whole periods hold the same entries after a move.
    return Still() if x.is_whole else lost("is made of a part of what moves cyclically")


def shifted_along(x: Moves, by: Dim, size: Dim, ends: tuple[bool, bool]) -> Motion:
    """The motion of positions `by`, `by + 1` and so on of the moving axis.

    Args:
        x: the operand.
        by: the position of the operand that becomes the first one; negative where others come before it.
        size: the number of positions of the result.
        ends: whether nothing is cut off at both ends.
    """
    start = by.constant
    if not x.is_alone:
        return Lost(why=x.broken) if x.broken is not None else lost("cuts an axis that holds more than what moves")
    if start is None and not x.move.circular:
        return lost("has a first position that is only known at run time")
    off = x.span * (start or 0)
    ends = (x.ends[0] and ends[0], x.ends[1] and ends[1])
    return replace(x, size=size, low=x.low + off, high=x.high + off, ends=ends)
