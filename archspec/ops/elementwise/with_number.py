"""Arithmetic on a tensor and a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.scalar import Scalar
from archspec.ir.op import Coefficients, Emitter, ShapeError
from archspec.ir.operands import NUMERIC, require
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.arithmetic import FORMULAS, Operation, refuse_integer_quotient, source
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class WithNumber(Elementwise):
    """Elementwise arithmetic with one number: `x * number`, or `number - x` with `number_first`.

    The number may depend on run-time sizes.
    """

    name = "with_number"

    kind: Operation
    number: Scalar
    number_first: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand without its bound. Raises ShapeError if integers would not give integers."""
        require(inputs, NUMERIC)
        x = inputs[0]
        refuse_integer_quotient(self.kind, x)
        if x.dtype != DType.FLOAT and self.number.as_dim() is None:
            raise ShapeError(f"integers need a whole number, got {self.number.python(str)} and {x}", (0,))
        # `with_axes` drops the bound on the values, which arithmetic need not keep.
        return (x.with_axes(*x.axes),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Affine, but for `number / x`."""
        divides = self.kind == "divide" and self.number_first
        return (frozenset((0,)) if divides else frozenset(),)

    @property
    def is_linear(self) -> bool:
        """If the number is a factor or a divisor."""
        return self.kind == "multiply" or (self.kind == "divide" and not self.number_first)

    @property
    def numbers(self) -> tuple[Scalar, ...]:
        """The number."""
        return (self.number,)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operation."""
        x, whole = inputs[0], self.number.as_dim()
        # A whole number stays an int, so that integers remain integers.
        number = self.number.evaluate(sizes) if whole is None else whole.value(sizes)
        return (FORMULAS[self.kind](*((number, x) if self.number_first else (x, number))),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The operator."""
        x, number = inputs[0], e.number(self.number)
        return (source(self.kind, *((number, x) if self.number_first else (x, number))),)
