"""The base of norms over the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free
from archspec.ir.signature import bind
from archspec.ir.types import TensorType
from archspec.relation.atoms import identity


class LastAxisNorm(Primitive):
    """A norm over the last axis of one float tensor."""

    signature = "... d -> ... d"
    anywhere = True
    acts = "nonlinear"
    rescales = True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0],)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of every axis except the last, which is read as a whole."""
        return ((identity(count(inputs[0].axes[:-1])),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis but the last."""
        return tuple(along([same(*(k for k in free(inputs[0], inputs[0].shape[-1]) if k < inputs[0].rank - 1))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; what moves along the last axis is read as a whole."""
        return (together(operands, [same(*range(inputs[0].rank - 1))]),)
