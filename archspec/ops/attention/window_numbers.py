"""The number of the window of every position of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import beside, free, unread
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def window_numbers(
    x: Tensor, grid: tuple[int, int], size: tuple[int, int], shift: tuple[int, int]
) -> Tensor:
    """Numbers of the windows of a grid's positions, row by row; those that would wrap around are cut apart."""
    row, column = (torch.arange(count, device=x.device) for count in grid)
    row = (row + size[0] - shift[0]) // size[0]
    column = (column + size[1] - shift[1]) // size[1]
    return (row[:, None] * (grid[1] + 1) + column).flatten()
'''


@record
class WindowNumbers(Primitive):
    """The windows of a grid, row by row: along an axis, position i is in window `(i + size - shift) // size`.

    Of the operand [... s d] only the number of positions is used. These are the windows of a cyclic shift where the two
    parts of a window that wraps around are told apart; position (r, c) has the number `r' * (columns + 1) + c'`.
    Source: Liu et al. 2021 (Swin), arXiv 2103.14030, figure 4.
    """

    name = "window_numbers"
    signature = "... s d -> s"
    unread = True
    acts = "nonlinear"

    rows: Dim
    columns: Dim
    size: tuple[int, int]
    shift: tuple[int, int]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers over the positions. Raises ShapeError if the grid has another number of positions."""
        require(inputs, FLOAT)
        x = inputs[0]
        if x.rank < 2 or compare(x.shape[-2], "==", self.rows * self.columns) is not True:
            raise ShapeError(f"a grid of {self.rows} by {self.columns} does not match the positions of {x}", (0,))
        return (TensorType(DType.INT64, (x.axes[-2],)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the number of positions is used."""
        return ((NOTHING,) * len(inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """Whole: of the operand only sizes are used."""
        return tuple(beside([unread(inputs[0], free(inputs[0], self.rows, self.columns))], ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the number of positions is read."""
        return (Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Windows of the cyclically shifted grid, with the parts that wrap around numbered apart."""
        import numpy as np

        grid = (self.rows.value(sizes), self.columns.value(sizes))
        numbers = []
        for count, size, shift in zip(grid, self.size, self.shift, strict=True):
            rolled = (np.arange(count) - shift) % count
            # What wraps around to the last window comes from in front of the first, where it is a window of its own.
            numbers.append(np.where(np.arange(count) < shift, 0, rolled // size + 1))
        return ((numbers[0][:, None] * (grid[1] + 1) + numbers[1]).reshape(-1),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        grid = f"({e.size(self.rows)}, {e.size(self.columns)})"
        return (call(e.helper(_HELPER), inputs[0], grid, str(self.size), str(self.shift)),)
