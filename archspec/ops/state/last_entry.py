"""The last of the new entries that is a position of its row."""

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
class LastEntry(Primitive):
    """Index [b], among the last `new` entries, of the last that a mask [b, n] marks with 1; 0 where it marks none."""

    name = "last_entry"
    signature = "b n -> b"
    acts = "nonlinear"
    reads_more = "the marks of past entries do not matter"

    new: Dim

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the number of new entries. Raises ShapeError for a mask that is not one mark an entry."""
        require(inputs, INTEGER)
        if inputs[0].rank != 2:
            raise ShapeError(f"needs one mark an entry of each row, got {inputs[0]}", (0,))
        return (TensorType.of(DType.INT64, inputs[0].axes[0], bound=self.new),)

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

        new = self.new.value(sizes)
        marks = inputs[0][:, inputs[0].shape[1] - new :] == 1
        return (np.max(np.where(marks, np.arange(new), 0), axis=1),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The definition."""
        mask, new = named(e, "mask", inputs[0]), e.size(self.new)
        own = f"{mask}[:, {mask}.shape[1] - {new} :] == 1"
        return (f"torch.where({own}, torch.arange({new}, device={mask}.device), 0).amax(1)",)
