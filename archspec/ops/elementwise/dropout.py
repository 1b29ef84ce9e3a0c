"""Dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter
from archspec.ir.source import call, literal
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Dropout(Elementwise):
    """In training, zero elements with probability `rate` and divide the others by `1 - rate`; otherwise `y = x`.

    Source: Srivastava et al. 2014, JMLR 15(56).
    """

    name = "dropout"
    # Memory is estimated for evaluation, in which the output is the operand.
    view = True
    acts = "affine"

    rate: float

    @property
    def draws(self) -> bool:
        """Yes."""
        return True

    @property
    def is_linear(self) -> bool:
        """Yes, where every rank draws the same."""
        return True

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operand unchanged: references compute evaluation mode."""
        return (inputs[0],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.dropout`."""
        return (call("F.dropout", inputs[0], literal(self.rate), e.training),)
