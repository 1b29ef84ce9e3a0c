"""Cosines and sines for rotary positions in a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import Dim, compare
from archspec.ir.motion import Angles, Motion, Still
from archspec.ir.op import Emitter, Placement, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import beside, free, unread
from archspec.ir.source import call, literal, named
from archspec.ir.types import TensorType, axis
from archspec.ops.position.rotary_table import FREQUENCIES
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

_CENTRED = '''
def patch_centres(x: Tensor, count: int) -> Tensor:
    """Centres of a number of patches that fill the range from -1 to 1, times 2 pi, on the device of x."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    centres = (torch.arange(count, device=x.device, dtype=dtype) + 0.5) / count
    return 2 * math.pi * (2 * centres - 1)
'''
_TABLE = '''
def rotary_grid_table(
    x: Tensor,
    rows: Tensor,
    columns: Tensor,
    row_frequencies: Tensor,
    column_frequencies: Tensor,
    tokens: int = 0,
) -> Tensor:
    """Cosines and sines [2, n, r] of the patches of a grid, from coordinates of rows and columns, in the type of x.

    The angles of the first `tokens` positions are 0.
    """
    by_row = (rows[:, None] * row_frequencies)[:, None]
    angles = torch.broadcast_tensors(by_row, columns[:, None] * column_frequencies)
    angles = F.pad(torch.cat(angles, dim=-1).flatten(0, 1), (0, 0, tokens, 0))
    return torch.stack((angles.cos(), angles.sin())).to(x.dtype)
'''


@record
class RotaryGridTable(Primitive):
    """`cos` and `sin` of `r f_i` for patches of row r, then of `c g_i` for their column c, with i < size/4.

    `f_i = base^(-4i/size)`; `g_i` are the same frequencies where they are `shared`, else `base^(-(4i + 2)/size)`, so
    that rows and columns alternate in `base^(-2i/size)`. The coordinates r and c are the `index`, or `centred`:
    `2 pi (2 (r + 1/2) / rows - 1)`. Patches are in row-major order behind `tokens` others, whose angles are 0.

    The operand [... s d] only provides the number of positions and the device. The result is [2 s size/2], cosines
    first. It is computed in float32 or higher.
    Source: Pixtral 2024, arXiv 2410.07073, section 2.2 (`index`, `alternating`); Simeoni et al. 2025 (DINOv3), arXiv
    2508.10104, section 3.2 (`centred`, `shared`); reference implementations of both.
    """

    name = "rotary_grid_table"
    signature = "... s d -> 2 s r"
    acts = "nonlinear"

    rows: Dim
    columns: Dim
    size: int
    coordinates: Literal["index", "centred"]
    frequencies: Literal["shared", "alternating"] = "shared"
    base: float = 10000.0
    tokens: int = 0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the table.

        Raises ShapeError unless 4 divides the size, or if tokens and grid have another number of positions.
        """
        require(inputs, FLOAT)
        if self.size % 4:
            raise ShapeError(f"rotary features of a grid come in fours, got {self.size}", (0,))
        x = inputs[0]
        if x.rank < 2 or compare(x.shape[-2], "==", self.rows * self.columns + self.tokens) is not True:
            grid = f"a grid of {self.rows} by {self.columns} behind {self.tokens} tokens"
            raise ShapeError(f"{grid} does not match the positions of {x}", (0,))
        return (x.with_axes(2, x.axes[-2], axis(self.size // 2)),)

    def placed(self, count: int) -> Placement | None:
        """None: positions are patches of one grid."""
        return None

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the number of positions is used."""
        return ((NOTHING,),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """Whole: of the operand only sizes are used."""
        return tuple(beside([unread(inputs[0], free(inputs[0], self.rows, self.columns))], ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the number of positions is read. The angles are linear in rows and in columns."""
        of = (self.size, self.base, self.coordinates, self.frequencies)
        return (Still(angles=Angles(of=of, grid=(self.rows, self.columns), front=Dim.of(self.tokens))),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, patch by patch."""
        import numpy as np

        rows, columns = self.rows.value(sizes), self.columns.value(sizes)
        index = np.arange(self.size // 4)
        offset = 0 if self.frequencies == "shared" else 2
        down, along = (self.base ** (-(4 * index + more) / self.size) for more in (0, offset))
        angles = np.zeros((self.tokens + rows * columns, self.size // 2))
        for place in range(rows * columns):
            row, column = divmod(place, columns)
            turned = (self._coordinate(row, rows) * down, self._coordinate(column, columns) * along)
            angles[self.tokens + place] = np.concatenate(turned)
        return (np.stack((np.cos(angles), np.sin(angles))),)

    def _coordinate(self, place: int, count: int) -> float:
        """The coordinate of a row or column."""
        return place if self.coordinates == "index" else 2 * math.pi * (2 * (place + 0.5) / count - 1)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Calls of helper functions that compute it in the forward pass, so that no buffer is stored."""
        x, shared = named(e, "x", inputs[0]), self.frequencies == "shared"
        # Frequencies of half the size are every other one of the whole size.
        size = self.size // 2 if shared else self.size
        found = e.assign("frequencies", call(e.helper(FREQUENCIES), x, str(size), literal(self.base)))
        turned = (found, found) if shared else (f"{found}[0::2]", f"{found}[1::2]")
        coordinates = [self._coordinates(e, x, e.size(count)) for count in (self.rows, self.columns)]
        tokens = str(self.tokens) if self.tokens else None
        return (call(e.helper(_TABLE), x, *coordinates, *turned, tokens=tokens),)

    def _coordinates(self, e: Emitter, x: str, count: str) -> str:
        """The source of the coordinates of rows or columns."""
        if self.coordinates == "centred":
            return call(e.helper(_CENTRED), x, count)
        return f"torch.arange({count}, device={x}.device)"
