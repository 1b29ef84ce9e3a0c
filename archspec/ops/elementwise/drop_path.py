"""Stochastic depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.scalar import Scalar
from archspec.ir.op import Emitter
from archspec.ir.placement import Shard, Sharding
from archspec.ir.source import call
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    """In training zero whole samples of x [b, ...] with probability rate, and divide the rest by 1 - rate."""
    if not training:
        return x
    kept = F.dropout(torch.ones(x.shape[0], device=x.device, dtype=x.dtype), rate)
    return x * kept.view(-1, *[1] * (x.dim() - 1))
'''


@record
class DropPath(Elementwise):
    """In training, zero whole samples with probability `rate` and divide the others by `1 - rate`; otherwise `y = x`.

    Samples are the positions of the first axis. `rate` may depend on the layer.
    Source: Huang et al. 2016, arXiv 1603.09382.
    """

    name = "drop_path"
    # In evaluation mode, for which memory is estimated, the output is the operand.
    view = True
    acts = "affine"

    rate: Scalar

    @property
    def draws(self) -> bool:
        """Yes."""
        return True

    def drawn(self, sharding: Sharding) -> Shard | None:
        """Samples alone: the parts of one of them are dropped together."""
        placed = super().drawn(sharding)
        return placed if placed is not None and placed.axis == 0 else None

    @property
    def is_linear(self) -> bool:
        """Yes, where every rank draws the same."""
        return True

    @property
    def numbers(self) -> tuple[Scalar, ...]:
        """The rate."""
        return (self.rate,)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The operand unchanged: references compute evaluation mode."""
        return (inputs[0],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(_HELPER), inputs[0], e.number(self.rate), e.training),)
