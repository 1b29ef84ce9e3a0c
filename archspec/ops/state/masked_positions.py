"""Positions of entries of which a mask says whether they are positions of their row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import named
from archspec.ir.types import DType, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class MaskedPositions(Primitive):
    """Positions [b, n] of entries, from a mask [b, n] that is 1 for those that are positions of their row, else 0.

    The first entry of a row that is one has position 0, each further one the next, at most `limit - 1`; the others have
    -1. With `new` the positions [b, new] of the last entries alone, those of no position 0: they number rows of tables.
    """

    name = "masked_positions"
    signature = "b n -> b n"
    acts = "nonlinear"
    reads_more = "an entry that is not a position depends only on its own mark"

    limit: Dim
    new: Dim | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the limit. Raises ShapeError for a mask that is not one mark an entry."""
        require(inputs, INTEGER)
        if inputs[0].rank != 2:
            raise ShapeError(f"needs one mark an entry of each row, got {inputs[0]}", (0,))
        return (TensorType.of(DType.INT64, inputs[0].axes[0], self.new or inputs[0].axes[1], bound=self.limit),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """All marks of the row."""
        return ((aligned(outputs[0], inputs[0], [(0, 0)]),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows."""
        return tuple(along([{0: 0}]))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The definition."""
        import numpy as np

        positions = np.minimum(np.cumsum(inputs[0], axis=1) - 1, self.limit.value(sizes) - 1)
        positions = np.where(inputs[0] == 1, positions, -1)
        if self.new is None:
            return (positions,)
        return (np.maximum(positions[:, positions.shape[1] - self.new.value(sizes) :], 0),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The definition."""
        mask = named(e, "mask", inputs[0])
        counted = f"({mask}.cumsum(1) - 1).clamp(max={e.size(self.limit)} - 1)"
        made = f"torch.where({mask} == 1, {counted}, -1)"
        if self.new is None:
            return (made,)
        positions = e.assign("positions", made)
        return (f"{positions}[:, {positions}.shape[1] - {e.size(self.new)} :].clamp(min=0)",)
