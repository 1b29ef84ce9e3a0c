"""Positions of the entries of a step, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def row_positions(past: Tensor, kept: int, new: int, limit: int) -> Tensor:
    """Positions [b, kept + new] of the entries of a ring and of new ones, after past [b] positions of each row.

    Entry r of the ring holds the last position that is r modulo its length, or -1 where there is none yet.
    """
    positions = past[:, None] + torch.arange(new, device=past.device)
    if not kept:
        return positions.clamp(max=limit - 1)
    positions = torch.where(positions < limit, positions, -1)
    last = past[:, None] - 1
    ring = last - (last - torch.arange(kept, device=past.device)) % kept
    return torch.cat((ring.clamp(min=-1), positions), dim=1)
'''


@record
class RowPositions(Primitive):
    """Positions [b, kept + new] of entries that are kept in a ring and of new ones, from each row's count of past ones.

    New entry n of a row with p past positions is at p + n. A row that has fewer new ones than others is filled up:
    what lies beyond the limit is at `limit - 1`, so that it has a row in tables; without a limit it stays where it is,
    apart from all positions of the row; with a ring, whose positions are those of keys, it is nowhere (-1), so that no
    query reads it. Entry r of the ring holds the last position below p that is r modulo `kept`, and -1 where there is
    none yet.
    """

    name = "row_positions"
    signature = "b -> b n"
    acts = "nonlinear"

    new: Dim
    limit: Dim | None
    kept: int = 0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Integers below the limit. Raises ShapeError for counts that are not one a row, or a ring without a limit."""
        require(inputs, INTEGER)
        if inputs[0].rank != 1:
            raise ShapeError(f"needs one count a row, got {inputs[0]}", (0,))
        if self.limit is None and self.kept:
            raise ShapeError("needs a limit where a ring is kept")
        return (TensorType.of(DType.INT64, inputs[0].axes[0], self.new + self.kept, bound=self.limit),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The count of the row."""
        return ((aligned(outputs[0], inputs[0], [(0, 0)]),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows."""
        return tuple(along([{0: 0}]))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The definition."""
        import numpy as np

        past = inputs[0][:, None]
        new = past + np.arange(self.new.value(sizes))
        if self.limit is None:
            return (new,)
        limit = self.limit.value(sizes)
        if not self.kept:
            return (np.minimum(new, limit - 1),)
        new = np.where(new < limit, new, -1)
        ring = past - 1 - (past - 1 - np.arange(self.kept)) % self.kept
        return (np.concatenate((np.maximum(ring, -1), new), axis=1),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function; a sum where there is no limit."""
        if self.limit is None:
            past = operand(inputs[0])
            return (f"{past}[:, None] + torch.arange({e.size(self.new)}, device={past}.device)",)
        return (f"{e.helper(_HELPER)}({inputs[0]}, {self.kept}, {e.size(self.new)}, {e.size(self.limit)})",)
