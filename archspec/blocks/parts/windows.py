"""The field `windows` of ATTENTION: positions are a grid, and attend within windows of it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.grid import grid_of
from archspec.blocks.parts.numbers import fixed, whole
from archspec.blocks.parts.per_axis import PerAxis, PerAxisField, PerAxisNumber, per_axis
from archspec.diagnostics import Span, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.types import Axis, axis
from archspec.masks.atoms.all import All
from archspec.masks.grid_windows import GridWindows
from archspec.masks.mask import Mask
from archspec.masks.walk import leaves
from archspec.masks.window_parts import WindowParts
from archspec.ops.attention.window_numbers import WindowNumbers
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.roll import Roll
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.record import record
from archspec.schema.model import TWO, Model
from archspec.schema.sorts import SizeField


class WindowsFields(Model):
    """Attention within windows of a grid of positions, row by row (Swin, arXiv 2103.14030)."""

    grid: Annotated[list[SizeField] | None, TWO] = Field(
        default=None, description="rows and columns of the positions; those of the image or map that they come from"
    )
    size: PerAxisField = Field(description="side of a window in positions, or [height, width]; it must divide the grid")
    shift: PerAxisNumber | None = Field(
        default=None,
        description="how far windows are moved cyclically, or [down, along]; 0 when left out, and where a window fills "
        "a side of the grid. Positions that only wrapping around brings together do not see each other",
    )


@record
class Windows:
    """Windows whose sizes are known. With `uncut` they are a mask over the grid, which stays whole."""

    rows: Dim
    columns: Dim
    size: tuple[int, int]
    shift: tuple[int, int]
    uncut: bool = False

    @property
    def is_one(self) -> bool:
        """Whether one window holds the grid."""
        return (self.rows, self.columns) == tuple(map(Dim.of, self.size)) and not any(self.shift)

    def can_cut(self, mask: Mask, *, shared: bool) -> bool:
        """Whether a mask can be cut as the grid is, and rules about what it hides are still proved.

        `shared` says that layers share something, whose windows may have another shift.
        """
        found = list(leaves(mask))
        if all(isinstance(leaf, All) for leaf in found):
            return True
        # Distances in a window are others than in the grid; guards by a predicate are not followed around its ends.
        local = not any(leaf.absolute or (leaf.compares and leaf.measures != "nothing") for leaf in found)
        return local and not shared and not any(self.shift)

    @property
    def count(self) -> tuple[Dim, Dim]:
        """The number of windows down and along."""
        return self.rows // self.size[0], self.columns // self.size[1]

    def masked(self, b: Builder, x: Value, mask: Mask, controls: Sequence[Value]) -> tuple[Mask, tuple[Value, ...]]:
        """The mask of attention over `x` [batch, positions, features], met with the windows, and what it reads."""
        if self.is_one:
            return mask, tuple(controls)
        number, numbers = (
            len(controls),
            WindowNumbers(rows=self.rows, columns=self.columns, size=self.size, shift=self.shift),
        )
        if self.uncut:
            windows = GridWindows(number, None, self.columns, self.size, self.shift)
            return mask & windows, (*controls, b.add(numbers, x, result="windows"))
        # What the mask reads of a position moves with it into its window.
        cut = tuple(self.cut(b, value, result=value.name) for value in controls)
        # Without a shift all positions of a window see each other; with one, those that wrapped around do not.
        if not any(self.shift):
            return mask, cut
        parts = self._repeated(b, self.cut(b, b.add(numbers, x, result="windows")), x.type.axes[0])
        return mask & WindowParts(number, None, self.count, self.size, self.shift), (*cut, parts)

    def cut(self, b: Builder, x: Value, result: str = "") -> Value:
        """Values [batch, positions, ...] or [positions] of the grid as those of windows.

        Windows are rows of the batch: [batch * windows, positions of a window, ...], without a batch [windows, ...].
        """
        # A control over positions alone has no batch, so its positions are the first axis.
        place = min(1, x.type.rank - 1)
        y = b.add(Split(axis=place, sizes=(axis(self.rows), axis(self.columns))), x)
        y = self._rolled(b, y, place, back=False)
        # Columns before rows, so that the place of the rows stays the same.
        for number in (1, 0):
            y = b.add(Split(axis=place + number, sizes=(axis(self.count[number]), axis(self.size[number]))), y)
        y = b.add(Transpose(order=_exchanged(y.type.rank, place)), y)
        y = b.add(Merge(axis=place + 2), y)
        return b.add(Merge(axis=0, count=place + 2), y, result=result)

    def joined(self, b: Builder, y: Value, like: Value) -> Value:
        """Values [batch * windows, positions of a window, features] as those of the grid, with the axes of `like`."""
        down, along = self.count
        y = b.add(Split(axis=1, sizes=tuple(map(axis, self.size))), y)
        y = b.add(Split(axis=0, sizes=(like.type.axes[0], axis(down), axis(along))), y)
        y = b.add(Transpose(order=_exchanged(y.type.rank, 1)), y)
        # From the back, so that the first merge does not move the place of the second.
        for place, side in ((3, self.columns), (1, self.rows)):
            y = _with_axis(b, b.add(Merge(axis=place), y), place, axis(side))
        y = b.add(Merge(axis=1), self._rolled(b, y, 1, back=True))
        return _with_axis(b, y, 1, like.type.axes[1])

    def _rolled(self, b: Builder, x: Value, place: int, *, back: bool) -> Value:
        """The grid moved against the shift, or back; `place` is the axis of the rows."""
        for number, shift in enumerate(self.shift):
            if shift:
                x = b.add(Roll(axis=place + number, by=Dim.of(shift if back else -shift)), x)
        return x

    def _repeated(self, b: Builder, x: Value, batch: Axis) -> Value:
        """Values [windows, positions] for each row of a batch: [batch * windows, positions]."""
        x = b.add(Split(axis=0, sizes=(axis(1), *map(axis, self.count))), x)
        return b.add(Merge(axis=0, count=3), b.add(BroadcastAxis(axis=0, size=batch), x), result="parts")


def _with_axis(b: Builder, x: Value, place: int, own: Axis) -> Value:
    """The same value with an axis of the same size in other factors: relations follow these."""
    return x if x.type.axes[place] == own else b.add(Split(axis=place, sizes=(own,)), x)


def _exchanged(rank: int, place: int) -> tuple[int, ...]:
    """The order of axes in which those at `place + 1` and `place + 2` are exchanged."""
    order = list(range(rank))
    order[place + 1], order[place + 2] = place + 2, place + 1
    return tuple(order)


def plan_windows(cx: Context, fields: WindowsFields, x: Value, memory: Value | None) -> Windows:
    """Check windows over the positions of `x`.

    Raises SpecError E241 in cross-attention, E345 for a grid of another number of positions or one that windows do not
    fill, E244 for a shift of a window or more, or one that holds at some sizes of the grid alone.
    """
    if memory is not None:
        fail("E241", "`windows` does not apply to attention to another sequence", fields.at)
    rows, columns = grid_of(cx, fields.grid, x, fields.at)
    size = _pair(per_axis(cx, fields.size, 2, fixed, "size"))
    shift = (0, 0) if fields.shift is None else _pair(per_axis(cx, fields.shift, 2, whole, "shift"))
    for side, window, moved in zip((rows, columns), size, shift, strict=True):
        if compare(side % window, "==", 0) is not True:
            found = f"windows of {window} do not fill a side of {side} positions"
            fail("E345", found, _span(fields.size), help="choose a size that divides the side: nothing is padded")
        if moved >= window:
            assert fields.shift is not None
            fail("E244", f"`shift` is {moved}, expected less than a window of {window}", _span(fields.shift))
    # As in Swin: where one window spans the grid there is nothing to exchange with others.
    fills = any(compare(side, "==", window) is True for side, window in zip((rows, columns), size, strict=True))
    if not fills and any(shift):
        _check_never_fills(fields, (rows, columns), size)
    return Windows(rows=rows, columns=columns, size=size, shift=(0, 0) if fills else shift)


def _check_never_fills(fields: WindowsFields, sides: tuple[Dim, Dim], size: tuple[int, int]) -> None:
    """Raise SpecError E244 for a shift of windows that fill a side at some sizes and not at others."""
    for side, window in zip(sides, size, strict=True):
        if compare(side, ">", window) is not True:
            assert fields.shift is not None
            found = f"`shift` does not apply where a window of {window} fills a side of {side} positions"
            fail("E244", found, _span(fields.shift), help="let the side be longer than a window at every size")


def _pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of rows and of columns."""
    down, along = numbers
    return down, along


def _span(value: PerAxis) -> Span:
    """Where the numbers of axes are written."""
    return value[0].span.to(value[-1].span) if isinstance(value, Sequence) else value.span
