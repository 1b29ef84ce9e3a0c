"""Repetition of an axis of size 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Still
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Copied, Shard, Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import operand
from archspec.ir.types import Axis, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class BroadcastAxis(Primitive):
    """Broadcast an axis of size 1: `[b, 1, s, d] -> [b, h, s, d]`; no memory is copied."""

    name = "broadcast_axis"
    signature = "... -> ..."
    anywhere = True
    sized = frozenset({"size"})
    view = True
    acts = "affine"

    axis: int
    size: Axis

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with the axis replaced. Raises ShapeError if the axis has more than one position."""
        x = inputs[0]
        place = axis_number(x, self.axis)
        if x.shape[place] != 1:
            raise ShapeError(f"axis {self.axis} of {x} does not have size 1", (0,))
        return (x.with_axes(*x.axes[:place], self.size, *x.axes[place + 1 :]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of all other axes."""
        x = inputs[0]
        kept = [(k, k) for k in range(x.rank) if k != self.axis % x.rank]
        return ((aligned(outputs[0], x, kept),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By the axis that is repeated, from the whole operand; by any other axis, or in terms."""
        x, place = inputs[0], self.axis % inputs[0].rank
        kept = same(*(k for k in free(x, self.size.size) if k != place))
        # Its size is read off another tensor that has the axis.
        by_size = Sharding(operands=(Copied(),), results=(Shard(place),))
        return (by_size, *along([kept]), *summed(inputs))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> BroadcastAxis:
        """With its part of the axis that is repeated."""
        return replace(self, size=part_of_axis(self.size, way.results[0], self.axis % inputs[0].rank, ranks))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; the result is level along the repeated axis."""
        rank, place = inputs[0].rank, self.axis % inputs[0].rank
        found = together(operands, [same(*(k for k in range(rank) if k != place))], copies=True)
        return (replace(found, level=found.level | {place}) if isinstance(found, Still) else found,)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operand, repeated along the axis."""
        import numpy as np

        return (np.repeat(inputs[0], self.size.size.value(sizes), axis=self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.expand(-1, k.shape[1], -1, -1)`."""
        sizes = ["-1"] * e.types[0].rank
        sizes[self.axis] = e.shared_size(self.size.size, self.axis % e.types[0].rank)
        return (f"{operand(inputs[0])}.expand({', '.join(sizes)})",)
