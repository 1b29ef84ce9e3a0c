"""The base of ops on each element of one tensor."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.types import TensorType
from archspec.relation.atoms import identity


class Elementwise(Primitive):
    """An op on each element of one float tensor."""

    signature = "... -> ..."
    anywhere = True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        return (inputs[0],)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position."""
        return ((identity(count(inputs[0].axes)),),)
