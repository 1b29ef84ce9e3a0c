"""Positions along an axis whose entries stand at their own indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class AxisPositions(Primitive):
    """0, 1, ... `size` - 1. The operand gives the device; it is not read."""

    name = "axis_positions"
    signature = "... -> n"

    size: Dim

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the size."""
        return (TensorType.of(DType.INT64, self.size, bound=self.size),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing."""
        return ((NOTHING,) * len(inputs),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The definition."""
        import numpy as np

        return (np.arange(self.size.value(sizes)),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.arange`."""
        return (f"torch.arange({e.size(self.size)}, device={operand(inputs[0])}.device)",)
