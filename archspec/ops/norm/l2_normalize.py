"""Normalisation of vectors to length one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.operands import FLOAT, axis_number, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call, literal
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class L2Normalize(Primitive):
    """`y = x / max(|x|, eps)` along one axis, where |x| is the Euclidean norm."""

    name = "l2_normalize"
    signature = "... -> ..."
    anywhere = True
    acts = "nonlinear"
    rescales = True

    axis: int = -1
    eps: float = 1e-12

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        axis_number(inputs[0], self.axis)
        return (inputs[0],)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of every axis except the normalised one, which is read as a whole."""
        x = inputs[0]
        return ((aligned(x, x, [(k, k) for k in range(x.rank) if k != self.axis % x.rank]),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis but the one that is normalised."""
        return tuple(along([same(*(k for k in range(inputs[0].rank) if k != self.axis % inputs[0].rank))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, but for what moves along the normalised axis."""
        rank = inputs[0].rank
        return (together(operands, [same(*(k for k in range(rank) if k != self.axis % rank))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        length = np.sqrt((inputs[0] ** 2).sum(axis=self.axis, keepdims=True))
        return (inputs[0] / np.maximum(length, self.eps),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.normalize`."""
        eps = None if self.eps == 1e-12 else literal(self.eps)
        return (call("F.normalize", inputs[0], dim=str(self.axis), eps=eps),)
