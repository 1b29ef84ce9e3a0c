"""Numbers rounded to few bits and back, as products of integers read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter, Primitive
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.elementwise.scaled import Scaled, scale_type
from archspec.ops.state.from_integers import FromIntegers
from archspec.ops.state.to_integers import ToIntegers
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Grid = Literal["int8", "fp8"]
"""The numbers of a scale 1: whole ones from -128 to 127, or those of float8_e4m3fn, up to 448."""
LARGEST: Mapping[Grid, float] = {"int8": 127.0, "fp8": 448.0}
_MANTISSA = 3
_LEAST_EXPONENT = -6
FUNCTION = "round_to_{}"
"""The name of the function in an emitted file; exporters write a pair of operators in its place."""
LAYER = "Rounded{}"
"""The name of the class of the module that computes it."""


@record
class Rounded(Scaled):
    """`scale * nearest(x / scale)`: the nearest number of a grid, ties to even, and the outermost beyond it.

    Engines compute it as a pair of quantise and dequantise, and products of what it gives with integers. Its gradient
    is that of x, as in training that knows of rounding (Bengio et al. 2013, arXiv 1308.3432).

    Buffers: `scale`, above zero, which a calibration chooses: [], or one for each entry of `axes`, of size 1 on the
    others behind the first of these.
    Source: `int8` as ONNX `QuantizeLinear`; `fp8` as float8_e4m3fn, Micikevicius et al. 2022, arXiv 2209.05433.
    """

    name = "rounded"
    acts = "nonlinear"
    rounds = True

    grid: Grid
    axes: tuple[int, ...] = ()

    @property
    def scaled(self) -> tuple[int, ...]:
        """The axes whose entries have scales of their own."""
        return self.axes

    @property
    def integers(self) -> tuple[Primitive, Primitive] | None:
        """Eight bits hold what it gives."""
        return (ToIntegers(axes=self.axes), FromIntegers(axes=self.axes)) if self.grid == "int8" else None

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        return (nearest(inputs[0] / parameters["scale"], self.grid) * parameters["scale"],)

    def layer(self, *inputs: TensorType) -> str:
        """A module of the file itself."""
        return f"{LAYER.format(self.grid.title())}({', '.join(str(one) for one in self._shape(inputs[0]))})"

    def _shape(self, x: TensorType) -> tuple[Dim, ...]:
        return scale_type(x, self.axes).shape

    @property
    def layer_class(self) -> str:
        """The class of that module."""
        return _LAYER.format(
            layer=LAYER.format(self.grid.title()), grid=self.grid, function=self._function, source=_SOURCES[self.grid]
        )

    @property
    def _function(self) -> str:
        return FUNCTION.format(self.grid)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A function of the file."""
        e.helper(self.layer_class)
        return (call(self._function, inputs[0], parameters["scale"]),)


def nearest(x: Array, grid: Grid) -> Array:
    """The nearest numbers of a grid, ties to even."""
    import numpy as np

    if grid == "int8":
        whole: Array = np.clip(np.rint(x), -LARGEST[grid] - 1, LARGEST[grid])
        return whole
    # `frexp` gives fractions from 1/2, so that exponents are one above those of numbers 1.m.
    exponents = np.maximum(np.frexp(x)[1] - 1, _LEAST_EXPONENT)
    steps = np.exp2(exponents - _MANTISSA)
    found: Array = np.clip(np.rint(x / steps) * steps, -LARGEST[grid], LARGEST[grid])
    return found


_SOURCES: Mapping[Grid, str] = {
    "int8": "(x / scale).round().clamp(-128, 127)",
    "fp8": "(x / scale).clamp(-448, 448).to(torch.float8_e4m3fn).to(x.dtype)",
}
_LAYER = '''
class {layer}(nn.Module):
    """Numbers rounded to {grid} at fixed scales, and back."""

    def __init__(self, *scales: int) -> None:
        super().__init__()
        self.scale = nn.Buffer(torch.ones(scales))

    def forward(self, x: Tensor) -> Tensor:
        """Round x [...]."""
        return {function}(x, self.scale)


def {function}(x: Tensor, scale: Tensor) -> Tensor:
    """The nearest number that {grid} has at a scale; gradients are those of x."""
    rounded = {source} * scale
    return rounded + (x - x.detach()) if x.requires_grad else rounded
'''
