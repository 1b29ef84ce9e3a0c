"""Comparison of integers with a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.operands import INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


Kind = Literal["==", "!=", "<", "<=", ">", ">="]


@record
class Compare(Primitive):
    """Elementwise comparison of integers with a number, such as `x != 0`. The number may depend on run-time sizes."""

    name = "compare"
    signature = "... -> ..."
    anywhere = True
    acts = "nonlinear"

    kind: Kind
    number: Scalar

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """A bool with the axes of the operand."""
        require(inputs, INTEGER)
        return (TensorType(DType.BOOL, inputs[0].axes),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position."""
        return ((identity(count(inputs[0].axes)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis on whose size the number does not depend."""
        return tuple(along([same(*free(inputs[0], self.number))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The comparison."""
        import operator

        x, number = inputs[0], self.number.evaluate(sizes)
        by_sign = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le}
        by_sign |= {">": operator.gt, ">=": operator.ge}
        return (by_sign[self.kind](x, number),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`ids != 0`."""
        return (f"{operand(inputs[0])} {self.kind} {e.number(self.number)}",)
