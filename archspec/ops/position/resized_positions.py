"""A learned vector for each patch of a grid, resized to the grid of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import Dim, compare
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import beside, free, tables, unread
from archspec.ir.signature import bind
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.position.interpolation import Interpolation, interpolation_weights
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def resized_positions(
    table: Tensor, tokens: int, grid: tuple[int, int], size: tuple[int, int], mode: str
) -> Tensor:
    """Rows of tokens, then those of a grid of patches resized to size: [tokens + h * w, d]."""
    patches = table[tokens:].unflatten(0, grid).permute(2, 0, 1)[None]
    patches = F.interpolate(patches, size=size, mode=mode, align_corners=False)
    return torch.cat((table[:tokens], patches[0].flatten(1).transpose(0, 1)))
'''


@record
class ResizedPositions(Primitive):
    """Learned positions of `tokens` tokens, then of a grid of patches, resized from `grid` to `rows` by `columns`.

    The operand has the tokens and patches as positions, [... s d]; its values are not read. The interpolation uses
    patch centres (`align_corners=False`), no antialiasing, and repeats the border outside the grid.

    Parameters: `positions` [offset + tokens + patches of the table, d]; the first `offset` rows are unused.
    Source: Dosovitskiy et al. 2020, arXiv 2010.11929, section 3.2; cubic convolution: Keys 1981, with a = -0.75.
    """

    name = "resized_positions"
    signature = "... s d -> s d"
    acts = "nonlinear"

    grid: tuple[int, int]
    rows: Dim
    columns: Dim
    mode: Literal["bilinear", "bicubic"]
    tokens: int = 0
    offset: int = 0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The positions and features of the operand. Raises ShapeError if the number of positions differs."""
        require(inputs, FLOAT)
        x = inputs[0]
        wanted = self.rows * self.columns + self.tokens
        if compare(bind(self.signature, inputs).size("s"), "==", wanted) is not True:
            raise ShapeError(f"{x} does not have {wanted} positions", (0,))
        return (x.with_axes(*x.axes[-2:]),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        x, rows = inputs[0], self.offset + self.tokens + self.grid[0] * self.grid[1]
        return {"positions": ParameterSpec(type=x.with_axes(rows, x.shape[-1]))}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the number of positions is used."""
        return ((NOTHING,),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By features, or in terms; of the operand only sizes are used."""
        ways = tables("positions", 0, (Shard(1), Shard(1)), (Partial(), Partial()))
        return tuple(beside([unread(inputs[0], free(inputs[0], self.rows, self.columns))], ways))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the sizes of the operand are read."""
        return (Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Each new patch is a weighted sum of old ones, along rows and along columns."""
        import numpy as np

        table = parameters["positions"][self.offset :]
        patches = table[self.tokens :].reshape(*self.grid, -1)
        mode: Interpolation = "linear" if self.mode == "bilinear" else "cubic"
        down = interpolation_weights(self.grid[0], self.rows.value(sizes), mode)
        along = interpolation_weights(self.grid[1], self.columns.value(sizes), mode)
        resized = np.einsum("ri,cj,ijd->rcd", down, along, patches)
        return (np.concatenate((table[: self.tokens], resized.reshape(-1, table.shape[-1]))),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        table = f"{parameters['positions']}[{self.offset}:]" if self.offset else parameters["positions"]
        size = f"({e.size(self.rows)}, {e.size(self.columns)})"
        return (call(e.helper(_HELPER), table, str(self.tokens), str(self.grid), size, f'"{self.mode}"'),)
