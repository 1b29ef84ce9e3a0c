"""Sines and cosines of positions in a grid, counted over what is valid of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import Numbered, atom_of, numbered, same_positions
from archspec.ir.motion import Motion
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import BOOL, FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, beside, free, unread
from archspec.ir.signature import bind
from archspec.ir.source import call, literal
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING, Range, Relation, equal

if TYPE_CHECKING:
    from archspec.ir.op import Array

_LEAST = 1e-6
"""What is added to the counts that others are divided by, as in the reference implementation."""
_HELPER = '''
def grid_sinusoidal(
    x: Tensor, valid: Tensor, rows: int, columns: int, base: float
) -> Tensor:
    """Sines and cosines [b, rows * columns, d] of the rows and columns of x [..., d].

    They are counted over valid [b, rows * columns].
    """
    quarter = x.shape[-1] // 4
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(quarter, device=x.device, dtype=dtype)
    frequencies = base ** (-steps / quarter)
    grid = valid.unflatten(1, (rows, columns))
    down, along = grid.cumsum(1).to(dtype), grid.cumsum(2).to(dtype)
    shares = (down / (down[:, -1:] + 1e-6), along / (along[:, :, -1:] + 1e-6))
    angles = torch.stack(shares, dim=3)[..., None] * (2 * torch.pi) * frequencies
    waves = torch.stack((angles.sin(), angles.cos()), dim=-1)
    return waves.flatten(3).flatten(1, 2).to(x.dtype)
'''


@record
class GridSinusoidal(Primitive):
    """Fixed positions of a grid of which only valid places count, normalised by how many there are.

    The operands are x [... n d], which only provides sizes, and valid [b n], where n are rows by columns in row-major
    order. The angle of a row is `2 pi * m / (M + 1e-6)`, where m of the M valid places of its column are not below it;
    that of a column the same along its row. The first half of the features are the sine and the cosine of
    `angle * f_i` for the row, in turn, with `f_i = base^(-4i/d)`, i < d/4; the second half are those for the column.
    The result [b n d] is computed in float32 or higher.
    Source: Carion et al. 2020 (DETR), arXiv 2005.12872, reference implementation.
    """

    name = "grid_sinusoidal"
    signature = "... n d, b n -> b n d"
    acts = "nonlinear"
    reads_more = "of the last valid place of a line the angle is nearly 2 pi, however many there are"

    rows: Dim
    columns: Dim
    base: Scalar | float = 10000.0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The rows of valid, the positions with rows and columns as factors, and the features.

        Raises ShapeError if the size of the grid differs, or the features are not a multiple of 4.
        """
        require(inputs, FLOAT, BOOL)
        positions = Axis((self.rows, self.columns))
        bound = bind(self.signature, inputs, {"n": positions})
        if compare(bound.size("d") % 4, "==", 0) is not True:
            raise ShapeError(f"needs a multiple of 4 features, got {bound['d']}", (0,))
        return (inputs[0].with_axes(inputs[1].axes[0], positions, bound["d"]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Of valid the same column for the first half of the features, the same row for the second; of x nothing."""
        out, valid = outputs[0], inputs[1]
        batch = list(same_positions(out, valid, [(0, 0)]))
        # Positions that are not known to be rows and columns have no coordinates to bound: all are a sound bound.
        if valid.axes[1].factors != (self.rows, self.columns):
            return ((NOTHING, Relation((atom_of(batch),))),)
        (row, _), (column, _) = numbered(out, 1)
        ((row_read, _), (column_read, _)), features = numbered(valid, 1), numbered(out, 2)
        lines = (equal(column, column_read), equal(row, row_read))
        halves = [self._half(features, number) for number in (0, 1)]
        atoms = (atom_of((*batch, line), half) for line, half in zip(lines, halves, strict=True))
        return ((NOTHING, Relation(tuple(atoms))),)

    def _half(self, features: Numbered, number: int) -> tuple[Range, ...]:
        """The first or the second half of the features; all of them if they have several coordinates."""
        if len(features) != 1:
            return ()
        (coordinate, size), half = features[0], features[0][1] // 2
        return (Range(side="out", coordinate=coordinate, lo=number * half, hi=size - 1 if number else half - 1),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows of what is valid; of x only sizes are used."""
        x, numbers = inputs[0], [self.base] if isinstance(self.base, Scalar) else []
        axes = [axis for axis in free(x, self.rows, self.columns, *numbers) if axis != x.rank - 1]
        return tuple(beside([unread(x, axes)], along([{0: 0}])))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all unless valid moves, since of x only sizes are read."""
        return super().moved(operands[1:], inputs[1:], outputs)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        rows, columns = self.rows.value(sizes), self.columns.value(sizes)
        features, batch = inputs[0].shape[-1], len(inputs[1])
        base = self.base.evaluate(sizes) if isinstance(self.base, Scalar) else self.base
        frequencies = base ** -(np.arange(features // 4) / (features // 4))
        grid = inputs[1].reshape(batch, rows, columns).astype(float)
        found = np.empty((batch, rows, columns, features))
        for half, axis in enumerate((1, 2)):
            share = np.cumsum(grid, axis) / (grid.sum(axis, keepdims=True) + _LEAST)
            angles = 2 * np.pi * share[..., None] * frequencies
            found[..., half * features // 2 : (half + 1) * features // 2 : 2] = np.sin(angles)
            found[..., half * features // 2 + 1 : (half + 1) * features // 2 : 2] = np.cos(angles)
        return (found.reshape(batch, rows * columns, features),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function that computes them in the forward pass, so that no buffer is stored."""
        base = e.number(self.base) if isinstance(self.base, Scalar) else literal(self.base)
        return (call(e.helper(_HELPER), *inputs, e.size(self.rows), e.size(self.columns), base),)
