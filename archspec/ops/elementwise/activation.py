"""Activation functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.op import Emitter
from archspec.ops.elementwise import functions
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Kind = Literal["relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid", "relu_squared", "relu6"]

_FUNCTIONS: Mapping[Kind, functions.Function] = {
    "relu": functions.RELU,
    "gelu": functions.GELU,
    "gelu_tanh": functions.GELU_TANH,
    "quick_gelu": functions.QUICK_GELU,
    "silu": functions.SILU,
    "tanh": functions.TANH,
    "sigmoid": functions.SIGMOID,
    "relu_squared": functions.RELU_SQUARED,
    "relu6": functions.RELU6,
}


@record
class Activation(Elementwise):
    """An elementwise activation.

    `relu` max(x, 0); `gelu` x * Phi(x) (Hendrycks and Gimpel 2016, arXiv 1606.08415), `gelu_tanh` its tanh
    approximation, `quick_gelu` x * sigmoid(1.702 x); `silu` x * sigmoid(x); `tanh`; `sigmoid`;
    `relu_squared` max(x, 0)^2 (So et al. 2021, arXiv 2109.08668); `relu6` min(max(x, 0), 6).
    """

    name = "activation"
    acts = "nonlinear"

    kind: Kind

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        return (_FUNCTIONS[self.kind](inputs[0]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.relu`, `F.gelu` and so on."""
        return (_FUNCTIONS[self.kind].emit(e, inputs[0]),)
