"""Sines and cosines of positions in a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import beside, free, unread
from archspec.ir.signature import bind
from archspec.ir.source import call, literal
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def grid_sincos(x: Tensor, rows: int, columns: int, base: float) -> Tensor:
    """Sines and cosines [rows * columns, d] of the columns and rows of x [..., d]."""
    quarter = x.shape[-1] // 4
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(quarter, device=x.device, dtype=dtype)
    frequencies = base ** (-steps / quarter)
    down = torch.arange(rows, device=x.device, dtype=dtype)[:, None, None] * frequencies
    along = torch.arange(columns, device=x.device, dtype=dtype)[:, None] * frequencies
    waves = [along.sin(), along.cos(), down.sin(), down.cos()]
    waves = [wave.expand(rows, columns, -1) for wave in waves]
    return torch.cat(waves, dim=2).flatten(0, 1).to(x.dtype)
'''


@record
class GridSincos(Primitive):
    """Fixed positions of a grid of patches: the features of row r and column c are four groups of waves.

    The groups are `sin(c f_i)`, `cos(c f_i)`, `sin(r f_i)`, `cos(r f_i)`, with `f_i = base^(-4i/d)`, i < d/4. Patches
    are in row-major order. The operand only provides the sizes. The result is computed in float32 or higher.
    Source: He et al. 2021 (MAE), arXiv 2111.06377, reference implementation.
    """

    name = "grid_sincos"
    signature = "... n d -> n d"
    acts = "nonlinear"

    rows: Dim
    columns: Dim
    base: Scalar | float = 10000.0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The positions, an axis with rows and columns as factors, and the features.

        Raises ShapeError if the size of the grid differs, or the features are not a multiple of 4.
        """
        require(inputs, FLOAT)
        positions = Axis((self.rows, self.columns))
        bound = bind(self.signature, inputs, {"n": positions})
        if compare(bound.size("d") % 4, "==", 0) is not True:
            raise ShapeError(f"needs a multiple of 4 features, got {bound['d']}", (0,))
        return (inputs[0].with_axes(positions, bound["d"]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the sizes of the operand are used, not its values."""
        return ((NOTHING,),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """Whole: of the operand only sizes are used."""
        x, numbers = inputs[0], [self.base] if isinstance(self.base, Scalar) else []
        axes = [axis for axis in free(x, self.rows, self.columns, *numbers) if axis != x.rank - 1]
        return tuple(beside([unread(x, axes)], ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the sizes of the operand are read."""
        return (Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        rows, columns = self.rows.value(sizes), self.columns.value(sizes)
        quarter = inputs[0].shape[-1] // 4
        base = self.base.evaluate(sizes) if isinstance(self.base, Scalar) else self.base
        frequencies = base ** -(np.arange(quarter) / quarter)
        row, column = np.divmod(np.arange(rows * columns), columns)
        angles = (column[:, None] * frequencies, row[:, None] * frequencies)
        return (np.concatenate([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function that computes them in the forward pass, so that no buffer is stored."""
        base = e.number(self.base) if isinstance(self.base, Scalar) else literal(self.base)
        return (call(e.helper(_HELPER), inputs[0], e.size(self.rows), e.size(self.columns), base),)
