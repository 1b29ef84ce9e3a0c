"""Integers of what is rounded, which are kept in place of numbers of four times the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter
from archspec.ir.operands import FLOAT, require
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.scaled import Scaled
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

TO = '''
def to_integers(x: Tensor, scale: Tensor) -> Tensor:
    """The int8 that are nearest to x / scale."""
    return (x / scale).round().clamp(-128, 127).to(torch.int8)
'''


@record
class ToIntegers(Scaled):
    """`nearest(x / scale)` as int8: ties to even, and -128 or 127 beyond these.

    Buffers: `scale`, that of `rounded`.
    """

    name = "to_integers"
    acts = "nonlinear"

    axes: tuple[int, ...] = ()

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """int8 of the shape of the operand."""
        require(inputs, FLOAT)
        return (TensorType(DType.INT8, inputs[0].axes),)

    @property
    def scaled(self) -> tuple[int, ...]:
        """The axes whose entries have scales of their own."""
        return self.axes

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        return (np.clip(np.rint(inputs[0] / parameters["scale"]), -128, 127).astype(np.int8),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(TO), inputs[0], parameters["scale"]),)
