"""Softcap: a smooth bound on values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.scalar import Scalar
from archspec.ir.op import Emitter
from archspec.ir.source import operand
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Softcap(Elementwise):
    """`y = cap * tanh(x / cap)`: close to x for small x, and bounded by the cap.

    Source: Gemma 2, arXiv 2408.00118, section 2.
    """

    name = "softcap"
    acts = "nonlinear"

    cap: Scalar

    @property
    def numbers(self) -> tuple[Scalar, ...]:
        """The cap."""
        return (self.cap,)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        cap = self.cap.evaluate(sizes)
        return (cap * np.tanh(inputs[0] / cap),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`cap * torch.tanh(x / cap)`."""
        cap = operand(e.number(self.cap))
        return (f"{cap} * torch.tanh({operand(inputs[0])} / {cap})",)
