"""Resolve the axis of a value that a field names."""

from __future__ import annotations

from archspec.algebra.dim import compare
from archspec.blocks.parts.context import Context
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.schema.words import AxisText
from archspec.text.expr import Name


def resolve_axis(cx: Context, axis: AxisText | None, value: Value, default: int = -1) -> int:
    """The number of an axis, counted from 0; `default` if no axis is given.

    A name selects the axis with the size of that dim or constant. Raises SpecError E350 if the value has no such axis,
    or several of that size.
    """
    rank = value.type.rank
    if axis is None:
        return default % rank
    if isinstance(axis.value, int):
        if not -rank <= axis.value < rank:
            fail("E350", f"{value.type} has no axis {axis.value}", axis.span, help=f"axes are 0 to {rank - 1}")
        return axis.value % rank
    size = cx.size(Name(name=axis.value, span=axis.span))
    # By size for all admitted dims: two axes that are equal only at some sizes are different axes.
    found = [place for place, other in enumerate(value.type.shape) if compare(size, "==", other) is True]
    if len(found) != 1:
        how = "several axes" if found else "no axis"
        fail("E350", f"{value.type} has {how} of size `{axis.value}`", axis.span, help="give the number of the axis")
    return found[0]
