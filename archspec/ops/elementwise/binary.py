"""Arithmetic on two tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned, broadcast_axes
from archspec.ir.motion import Motion
from archspec.ir.moving import broadcasting, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import NUMERIC, broadcast, require
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.arithmetic import FORMULAS, Operation, refuse_integer_quotient, source
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Binary(Primitive):
    """Elementwise `a + b`, `a - b`, `a * b` or `a / b`, with PyTorch's broadcasting."""

    name = "binary"
    signature = "..., ... -> ..."
    anywhere = True

    kind: Operation

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The broadcast type. Raises ShapeError if sizes or element types differ."""
        require(inputs, NUMERIC)
        a, b = inputs
        if a.dtype != b.dtype:
            raise ShapeError(f"operands must have the same dtype, got {a} and {b}", (0, 1))
        refuse_integer_quotient(self.kind, a)
        return (a.with_axes(*broadcast(a, b)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of both operands; along a broadcast axis, the only one."""
        return (tuple(aligned(outputs[0], x, broadcast_axes(outputs[0], x)) for x in inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis; in terms of both operands, or of one that is multiplied or divided."""
        pairs = [broadcasting(outputs[0], x) for x in inputs]
        linear: Mapping[Operation, tuple[Sharding, ...]] = {
            "multiply": (terms(Partial(), Copied()), terms(Copied(), Partial())),
            "divide": (terms(Partial(), Copied()),),
        }
        ways = linear.get(self.kind, (terms(Partial(), Partial()),))
        return (*along(pairs), *(ways if inputs[0].dtype is DType.FLOAT else ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operands, which must move together; along a broadcast axis an operand is level."""
        return (together(operands, [broadcasting(outputs[0], x) for x in inputs]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """A sum is affine in both; a factor is the coefficient of the other."""
        scaled: Mapping[Operation, Coefficients] = {
            "multiply": (frozenset((1,)), frozenset((0,))),
            "divide": (frozenset((1,)), frozenset((0, 1))),
        }
        return scaled.get(self.kind, (frozenset(), frozenset()))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operation."""
        return (FORMULAS[self.kind](*inputs),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The operator."""
        return (source(self.kind, *inputs),)
