"""Limits of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.scalar import Scalar
from archspec.ir.op import Emitter
from archspec.ir.source import call, literal, operand
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Clamp(Elementwise):
    """`max(low, min(x, high))`, or `min(x, high)` without `low`."""

    name = "clamp"
    acts = "nonlinear"

    high: float
    low: float | None = None

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        found = np.minimum(inputs[0], self.high)
        return (found if self.low is None else np.maximum(found, self.low),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.clamp(low, high)`."""
        low = [] if self.low is None else [literal(self.low)]
        high = literal(self.high)
        clamp = f"{operand(inputs[0])}.clamp"
        return (call(clamp, *low, high) if low else call(clamp, max=high),)


@record
class GateClamp:
    """Limits on both factors of a gated layer, and a number that is added to one: `act(gate(x)) * (up(x) + offset)`.

    The gate is at most `limit`; the other factor stays between `-limit` and `limit` before `offset` is added.
    Source: gpt-oss, OpenAI 2025, arXiv 2508.10925, reference implementation.
    """

    limit: float
    offset: Scalar | None = None

    @property
    def gate(self) -> Clamp:
        """The limit of what the activation gets."""
        return Clamp(high=self.limit)

    @property
    def up(self) -> Clamp:
        """The limits of the other factor, without the offset."""
        return Clamp(high=self.limit, low=-self.limit)
