"""What is kept of rounded values: their integers, in place of numbers of four times the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ParameterSpec, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

TO = '''
def to_integers(x: Tensor, scale: Tensor) -> Tensor:
    """The int8 that are nearest to x / scale."""
    return (x / scale).round().clamp(-128, 127).to(torch.int8)
'''


def scale_type(x: TensorType, axes: Sequence[int]) -> TensorType:
    """The type of scales, one for each entry of some axes: of size 1 on the others behind the first of these."""
    kept = range(min(axes), x.rank) if axes else ()
    return TensorType.of(DType.FLOAT, *(x.axes[one] if one in axes else axis(1) for one in kept))


@record
class ToIntegers(Elementwise):
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
    def own_scales(self) -> tuple[int, ...]:
        """The axes whose entries differ in what is done with them."""
        return self.axes

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The scale."""
        return {"scale": ParameterSpec(type=scale_type(inputs[0], self.axes), role="range")}

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        return (np.clip(np.rint(inputs[0] / parameters["scale"]), -128, 127).astype(np.int8),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(TO), inputs[0], parameters["scale"]),)


@record
class FromIntegers(Elementwise):
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
    def own_scales(self) -> tuple[int, ...]:
        """The axes whose entries differ in what is done with them."""
        return self.axes

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The scale."""
        return {"scale": ParameterSpec(type=scale_type(inputs[0], self.axes), role="range")}

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        return (inputs[0] * parameters["scale"],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A product: the scale has the precision of the result."""
        return (f"{inputs[0]} * {parameters['scale']}",)
