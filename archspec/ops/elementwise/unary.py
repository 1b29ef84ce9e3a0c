"""Elementwise functions of value expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.op import Coefficients, Emitter
from archspec.ir.types import TensorType
from archspec.ops.elementwise import functions
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Kind = Literal["negate", "exp", "tanh", "sigmoid", "silu", "relu"]

_FUNCTIONS: Mapping[Kind, functions.Function] = {
    "negate": functions.NEGATE,
    "exp": functions.EXP,
    "tanh": functions.TANH,
    "sigmoid": functions.SIGMOID,
    "silu": functions.SILU,
    "relu": functions.RELU,
}


@record
class Unary(Elementwise):
    """An elementwise function of value expressions: `-x`, `exp(x)`, `tanh(x)`, `sigmoid(x)`, `silu(x)` or `relu(x)`."""

    name = "unary"

    kind: Kind

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Affine, if it negates."""
        return (frozenset() if self.kind == "negate" else frozenset((0,)),)

    @property
    def is_linear(self) -> bool:
        """If it negates."""
        return self.kind == "negate"

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        return (_FUNCTIONS[self.kind](inputs[0]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The PyTorch function."""
        return (_FUNCTIONS[self.kind].emit(e, inputs[0]),)
