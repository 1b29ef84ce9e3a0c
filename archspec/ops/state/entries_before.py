"""Entries at earlier positions, in a step whose entries have positions of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import aligned
from archspec.ir.moving import same
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, free, terms
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

ENTRIES_AT = '''
def entries_at(
    x: Tensor, positions: Tensor, wanted: Tensor, axis: int, fill: float = 0.0
) -> Tensor:
    """The entries of x along an axis at wanted [b, n] positions; fill where none does.

    positions [b, m] or [m] are those of the entries of x; there is nothing at negative ones.
    """
    found = (positions[..., None, :] == wanted[:, :, None]) & (wanted >= 0)[:, :, None]
    shape, size = [1] * x.dim(), list(x.shape)
    shape[0], shape[axis] = wanted.shape
    size[axis] = wanted.shape[1]
    places = found.int().argmax(-1).view(shape).expand(size)
    return torch.where(found.any(-1).view(shape), x.gather(axis, places), fill)
'''


def entries_at(x: Array, positions: Array, wanted: Array, axis: int, fill: float = 0.0) -> Array:
    """The entries of an array along an axis, row by row, at `wanted` [b, n] positions; `fill` where none."""
    import numpy as np

    moved = np.moveaxis(x, axis, 1)
    found = np.full((moved.shape[0], wanted.shape[1], *moved.shape[2:]), fill, dtype=x.dtype)
    for row, number in np.ndindex(*wanted.shape):
        own = positions if positions.ndim == 1 else positions[row]
        places = np.flatnonzero((own == wanted[row, number]) & (own >= 0))
        if places.size:
            found[row, number] = moved[row, places[0]]
    return np.moveaxis(found, 1, axis)


@record
class EntriesBefore(Primitive):
    """`y[b, i] = x[b, j]`, where entry j is `by` positions before entry i of the result; `fill` where none does.

    Operands: x [b ... m ...] with the entries along `axis`, the positions [b, n] of the result's entries, and those
    [b, m] or [m] of the entries of x. There is nothing at a negative position.
    """

    name = "entries_before"
    signature = "b ..., b n, ... m -> b ..."
    reads_more = "which entries are read depends on positions"

    axis: int
    by: Dim
    fill: Scalar

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of x with the entries of the result. Raises ShapeError for positions that do not number them."""
        x, wanted, positions = inputs
        place = axis_number(x, self.axis)
        if not place or wanted.rank != 2 or wanted.shape[0] != x.shape[0] or positions.shape[-1] != x.shape[place]:
            raise ShapeError(f"{wanted} and {positions} do not number the entries of {x} along axis {place}", (1, 2))
        axes = list(x.axes)
        axes[place] = wanted.axes[1]
        return (x.with_axes(*axes),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Every entry of the row at the same place of the other axes, the entry's own position, all positions."""
        out, (x, wanted, positions) = outputs[0], inputs
        place = self.axis % out.rank
        own = aligned(out, x, [(k, k) for k in range(out.rank) if k != place])
        rows = [(0, 0)] if positions.rank > 1 else []
        return ((own, aligned(out, wanted, [(0, 0), (place, 1)]), aligned(out, positions, rows)),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The positions determine which entries are read."""
        everything = frozenset((0, 1, 2))
        return everything - {0}, everything, everything

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, that of the entries as those that are wanted; in terms, where zeros stand for none."""
        x, _, positions = inputs
        place = self.axis % x.rank
        own = same(*(k for k in free(x, self.by, self.fill) if k != place))
        pairs = [own, {0: 0, 1: place}, {0: 0} if positions.rank > 1 else {}]
        is_linear = x.dtype is DType.FLOAT and self.fill == Scalar.of(0)
        return (*along(pairs), *([terms(Partial(), Copied(), Copied())] if is_linear else ()))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Row by row, entry by entry."""
        x, wanted, positions = inputs
        return (entries_at(x, positions, wanted - self.by.value(sizes), self.axis, self.fill.evaluate(sizes)),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        x, wanted, positions = inputs
        fill = None if self.fill == Scalar.of(0) else e.number(self.fill)
        axis = str(self.axis % e.types[0].rank)
        return (call(e.helper(ENTRIES_AT), x, positions, f"{wanted} - {e.size(self.by)}", axis, fill=fill),)
