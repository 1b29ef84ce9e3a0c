"""Positions along an axis whose entries are at their own indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, beside, free, unread
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class AxisPositions(Primitive):
    """0, 1, ... `size` - 1. The operand gives the device; it is not read.

    With `filled` the operands are counts [b] of past and of new positions of each row: the result is [b size], and -1
    from the sum of the two on, where nothing stands yet.
    """

    name = "axis_positions"
    signature = "... -> n"
    acts = "nonlinear"
    reads_more = "a position behind every end that the counts can give depends on none"

    size: Dim
    filled: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the size. Raises ShapeError for counts that are not one a row."""
        if self.filled:
            require(inputs, INTEGER)
            if len(inputs) != 2 or any(x.rank != 1 for x in inputs):
                raise ShapeError("needs counts of past and of new positions, one a row")
            return (TensorType.of(DType.INT64, inputs[0].axes[0], self.size, bound=self.size),)
        return (TensorType.of(DType.INT64, self.size, bound=self.size),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The counts of the row, if there are any."""
        if self.filled:
            return (tuple(aligned(outputs[0], x, [(0, 0)]) for x in inputs),)
        return ((NOTHING,) * len(inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows of the counts; without them whole, since of the operand only sizes are used."""
        if self.filled:
            return tuple(along([{0: 0}, {0: 0}]))
        return tuple(beside([unread(x, free(x, self.size)) for x in inputs], ()))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The definition."""
        import numpy as np

        positions = np.arange(self.size.value(sizes))
        if self.filled:
            positions = np.where(positions < (inputs[0] + inputs[1])[:, None], positions, -1)
        return (positions,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.arange`, and -1 behind the end of each row."""
        made = f"torch.arange({e.size(self.size)}, device={operand(inputs[0])}.device)"
        if not self.filled:
            return (made,)
        positions = e.assign("positions", made)
        return (f"torch.where({positions} < ({inputs[0]} + {inputs[1]})[:, None], {positions}, -1)",)
