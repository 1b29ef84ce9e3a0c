"""The index of the largest element along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion
from archspec.ir.moving import together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Argmax(Primitive):
    """The index of the largest element along an axis, which is removed; ties may give any of the indices."""

    name = "argmax"
    signature = "... -> ..."
    anywhere = True
    acts = "nonlinear"
    reads_more = "a change of an element that stays below the maximum does not change the result"

    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the size of the axis. Raises ShapeError for a missing axis, or for bools."""
        x = inputs[0]
        place = axis_number(x, self.axis)
        if x.dtype is DType.BOOL:
            raise ShapeError(f"needs numbers, got {x}", (0,))
        rest = (axis for k, axis in enumerate(x.axes) if k != place)
        return (TensorType.of(DType.INT64, *rest, bound=x.shape[place]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of the axes that remain, and the whole of the others."""
        x = inputs[0]
        stay = [k for k in range(x.rank) if k != self.axis % x.rank]
        return ((aligned(outputs[0], x, enumerate(stay)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By axes that remain."""
        stay = [k for k in range(inputs[0].rank) if k != self.axis % inputs[0].rank]
        return tuple(along([{own: out for out, own in enumerate(stay)}]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand along axes that remain; an index along the axis that moves would change."""
        stay = [k for k in range(inputs[0].rank) if k != self.axis % inputs[0].rank]
        return (together(operands, [{own: out for out, own in enumerate(stay)}]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The position."""
        return (inputs[0].argmax(self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.argmax(-1)`."""
        return (f"{operand(inputs[0])}.argmax({self.axis})",)
