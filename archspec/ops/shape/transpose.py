"""Permutation of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion
from archspec.ir.moving import together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.source import operand
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Transpose(Primitive):
    """Axis k of the result is axis `order[k]` of the operand."""

    name = "transpose"
    signature = "... -> ..."
    anywhere = True
    view = True
    acts = "affine"

    order: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with its axes permuted. Raises ShapeError if `order` is not a permutation of them."""
        x = inputs[0]
        if sorted(self.order) != list(range(x.rank)):
            raise ShapeError(f"{list(self.order)} is not a permutation of the axes of {x}", (0,))
        return (x.with_axes(*(x.axes[k] for k in self.order)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position, axis by axis."""
        return ((aligned(outputs[0], inputs[0], enumerate(self.order)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, or in terms."""
        return (*along([{own: out for out, own in enumerate(self.order)}]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand."""
        return (together(operands, [{own: out for out, own in enumerate(self.order)}], copies=True),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A transpose."""
        return (inputs[0].transpose(self.order),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.transpose(1, 2)` if two axes change places, otherwise `x.permute`."""
        moved = [k for k, axis in enumerate(self.order) if k != axis]
        if not moved:
            return (inputs[0],)
        if len(moved) == 2:
            return (f"{operand(inputs[0])}.transpose({moved[0]}, {moved[1]})",)
        return (f"{operand(inputs[0])}.permute({', '.join(map(str, self.order))})",)
