"""Logical operations on bools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.coordinates import aligned, broadcast_axes
from archspec.ir.motion import Motion
from archspec.ir.moving import broadcasting, together
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.operands import BOOL, broadcast, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import operand
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Logical(Primitive):
    """Elementwise `not a`, `a and b` or `a or b`, with PyTorch's broadcasting."""

    name = "logical"
    signature = "..., ... -> ..."
    anywhere = True
    acts = "nonlinear"

    kind: Literal["and", "or", "not"]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The broadcast type. Raises ShapeError if sizes differ."""
        require(inputs, BOOL)
        return (inputs[0].with_axes(*broadcast(*inputs)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of each operand; along a broadcast axis, the only one."""
        return (tuple(aligned(outputs[0], x, broadcast_axes(outputs[0], x)) for x in inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis."""
        return tuple(along([broadcasting(outputs[0], x) for x in inputs]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operands, which must move together; along a broadcast axis an operand is level."""
        return (together(operands, [broadcasting(outputs[0], x) for x in inputs]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operation."""
        import numpy as np

        by_kind = {"and": np.logical_and, "or": np.logical_or, "not": np.logical_not}
        return (by_kind[self.kind](*inputs),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`a & b`, `a | b`, `~a`."""
        if self.kind == "not":
            return (f"~{operand(inputs[0])}",)
        sign = "&" if self.kind == "and" else "|"
        return (f" {sign} ".join(operand(x) for x in inputs),)
