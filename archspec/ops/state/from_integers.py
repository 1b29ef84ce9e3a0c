"""Values of what is kept as integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ShapeError
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.scaled import Scaled
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class FromIntegers(Scaled):
    """`scale * x`: the numbers that int8 stand for.

    Buffers: `scale`, that of `rounded`.
    """

    name = "from_integers"
    acts = "nonlinear"

    axes: tuple[int, ...] = ()

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """float of the shape of the operand. Raises ShapeError for another dtype than int8."""
        (x,) = inputs
        if x.dtype is not DType.INT8:
            raise ShapeError(f"needs int8, got {x}", (0,))
        return (TensorType(DType.FLOAT, x.axes),)

    @property
    def scaled(self) -> tuple[int, ...]:
        """The axes whose entries have scales of their own."""
        return self.axes

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, or in terms of the scales."""
        terms = Sharding(operands=(Copied(),), results=(Partial(),), parameters={"scale": Partial()})
        return (*super().shardings(inputs, outputs), terms)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        return (inputs[0] * parameters["scale"],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A product: the scale has the precision of the result."""
        return (f"{operand(inputs[0])} * {parameters['scale']}",)
