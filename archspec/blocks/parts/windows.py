"""The field `windows` of ATTENTION: positions are a grid, and attend within windows of it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import fixed, whole
from archspec.blocks.parts.per_axis import PerAxis, PerAxisField, PerAxisNumber, per_axis
from archspec.diagnostics import Span
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.masks.grid_windows import GridWindows
from archspec.masks.mask import Mask
from archspec.ops.attention.window_numbers import WindowNumbers
from archspec.record import record
from archspec.schema.model import TWO, Model
from archspec.schema.sorts import SizeField


class WindowsFields(Model):
    """Attention within windows of a grid of positions, row by row (Swin, arXiv 2103.14030)."""

    grid: Annotated[list[SizeField], TWO] = Field(description="rows and columns of the positions")
    size: PerAxisField = Field(description="side of a window in positions, or [height, width]; it must divide the grid")
    shift: PerAxisNumber | None = Field(
        default=None,
        description="how far windows are moved cyclically, or [down, along]; 0 when left out. Positions that only "
        "wrapping around brings together do not see each other",
    )


@record
class Windows:
    """Windows whose sizes are known."""

    rows: Dim
    columns: Dim
    size: tuple[int, int]
    shift: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether one window holds the grid."""
        return (self.rows, self.columns) == tuple(map(Dim.of, self.size)) and not any(self.shift)

    def mask(self, control: int) -> Mask:
        """The mask of pairs in one window; `control` numbers their windows."""
        return GridWindows(control, None, self.columns, self.size, self.shift)

    def numbers(self, b: Builder, x: Value) -> Value:
        """The numbers of the windows of `x` [batch, positions, features]."""
        op = WindowNumbers(rows=self.rows, columns=self.columns, size=self.size, shift=self.shift)
        return b.add(op, x, result="windows")


def plan_windows(cx: Context, fields: WindowsFields, x: Value, memory: Value | None) -> Windows:
    """Check windows over the positions of `x`.

    Raises SpecError E241 in cross-attention, E345 for a grid of another number of positions or one that windows do not
    fill, E244 for a shift of a window or more.
    """
    if memory is not None:
        cx.fail("E241", "`windows` does not apply to attention to another sequence", fields.at)
    rows, columns = (cx.size(expr) for expr in fields.grid)
    if compare(x.type.shape[1], "==", rows * columns) is not True:
        found = f"the grid has {rows} by {columns} positions, but there are `{x.type.shape[1]}`"
        help = "tokens in front of the patches are in no window"
        cx.fail("E345", found, fields.grid[0].span.to(fields.grid[1].span), help=help)
    size = _pair(per_axis(cx, fields.size, 2, fixed, "size"))
    shift = (0, 0) if fields.shift is None else _pair(per_axis(cx, fields.shift, 2, whole, "shift"))
    for side, window, moved in zip((rows, columns), size, shift, strict=True):
        if compare(side % window, "==", 0) is not True:
            cx.fail("E345", f"windows of {window} do not fill a side of {side} positions", _span(fields.size))
        if moved >= window:
            assert fields.shift is not None
            cx.fail("E244", f"`shift` is {moved}, expected less than a window of {window}", _span(fields.shift))
    return Windows(rows=rows, columns=columns, size=size, shift=shift)


def _pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of rows and of columns."""
    down, along = numbers
    return down, along


def _span(value: PerAxis) -> Span:
    """Where the numbers of axes are written."""
    return value[0].span.to(value[-1].span) if isinstance(value, Sequence) else value.span
