"""Learned biases for the offsets of patches in a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, ParameterSpec, Placement, ShapeError
from archspec.ir.sharded import free
from archspec.ir.source import call
from archspec.ir.types import TensorType, axis
from archspec.ops.attention.score_bias import ScoreBias, look_up, looked_up
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_WINDOWS = '''
def window_offsets(x: Tensor, row: int, rows: int, columns: int) -> Tensor:
    """Numbers [n, n] of the offsets between patches of a grid with rows of a length, at most a window apart."""
    patches = torch.arange(x.shape[-2], device=x.device)
    down, along = patches // row, patches % row
    down = (down[:, None] - down).clamp(1 - rows, rows - 1) + rows - 1
    along = (along[:, None] - along).clamp(1 - columns, columns - 1) + columns - 1
    return down * (2 * columns - 1) + along
'''
_HELPER = '''
def grid_offsets(x: Tensor, rows: int, columns: int) -> Tensor:
    """Numbers [n, n] of the offsets, in rows and columns, between all pairs of n = rows * columns patches."""
    patches = torch.arange(rows * columns, device=x.device)
    row, column = patches // columns, patches % columns
    down = row[:, None] - row + rows - 1
    return down * (2 * columns - 1) + column[:, None] - column + columns - 1
'''


@record
class RelativeGrid(ScoreBias):
    """A learned bias per head for the offset between patches i and j, in rows and columns.

    All positions must be patches, in row-major order. The row of the table is
    `(r_i - r_j + rows - 1) * (2 columns - 1) + (c_i - c_j + columns - 1)`.
    With `whole`, the rows and columns of a larger grid, the table is that of its windows: larger offsets have the bias
    of the largest, and a mask hides them. With `inside` the operands are of a larger grid, of which only the device and
    the precision count, and the result is that of one window, [1 h rows*columns rows*columns].

    Parameters: `table` [(2 rows - 1) * (2 columns - 1), heads].
    Source: Bao et al. 2021 (BEiT), arXiv 2106.08254; Dai et al. 2021 (CoAtNet), arXiv 2106.04803.
    """

    name = "relative_grid"
    acts = "nonlinear"

    rows: int
    columns: int
    whole: tuple[Dim, Dim] | None = None
    inside: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Float [1 h s t]. Raises ShapeError if the number of positions is not that of the grid."""
        if self.inside:
            (found,) = super().infer(*inputs)
            window = axis(self.rows * self.columns)
            return (found.with_axes(*found.axes[:2], window, window),)
        for number, x in enumerate(inputs):
            rows, columns = self._grid
            if x.rank < 2 or compare(x.shape[-2], "==", rows * columns) is not True:
                raise ShapeError(f"a grid of {rows} by {columns} does not match the positions of {x}", (number,))
        return super().infer(*inputs)

    @property
    def _grid(self) -> tuple[Dim, Dim]:
        """The rows and columns of all positions."""
        return (Dim.of(self.rows), Dim.of(self.columns)) if self.whole is None else self.whole

    def placed(self, count: int) -> Placement | None:
        """None: positions are patches of one grid."""
        return None

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        offsets = (2 * self.rows - 1) * (2 * self.columns - 1)
        return {"table": ParameterSpec(type=inputs[0].with_axes(axis(offsets), axis(self.heads)))}

    def _unused(self, number: int, x: TensorType) -> Sequence[int]:
        """All axes; for windows of a larger grid not that of the queries, nor those on whose sizes its rows depend."""
        if self.whole is None:
            return range(x.rank)
        return [axis for axis in free(x, self.whole[1]) if number or axis != x.rank - 2]

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the numbers of positions are read."""
        return (Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        rows, columns = (size.value(sizes) for size in self._grid)
        row, column = np.divmod(np.arange(rows * columns), columns)
        # Pairs farther apart are in different windows, which the mask separates: clipping keeps them inside the table.
        down = np.clip(row[:, None] - row, 1 - self.rows, self.rows - 1) + self.rows - 1
        along = np.clip(column[:, None] - column, 1 - self.columns, self.columns - 1) + self.columns - 1
        return (looked_up(parameters["table"], down * (2 * self.columns - 1) + along),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A helper function that computes the offset numbers, and a lookup in the table."""
        sides = (str(self.rows), str(self.columns))
        if self.whole is None:
            numbers = call(e.helper(_HELPER), inputs[0], *sides)
        else:
            numbers = call(e.helper(_WINDOWS), inputs[0], e.size(self.whole[1]), *sides)
        return (look_up(parameters["table"], e.assign("offsets", numbers)),)
