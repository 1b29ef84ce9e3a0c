"""The base of ops on each element of one tensor."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
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

    @property
    def numbers(self) -> tuple[Scalar, ...]:
        """The numbers that it computes with, which may depend on sizes."""
        return ()

    @property
    def is_linear(self) -> bool:
        """Whether the result for a sum is the sum of the results."""
        return False

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis on whose size its numbers do not depend; in terms, if it is linear."""
        own = same(*free(inputs[0], *self.numbers))
        return (*along([own]), *(summed(inputs) if self.is_linear else ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position."""
        return ((identity(count(inputs[0].axes)),),)
