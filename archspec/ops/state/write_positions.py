"""Writing new entries into what is kept of past positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.moving import same
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def write_positions(
    kept: Tensor, new: Tensor, past: Tensor, axis: int, count: Tensor | None = None
) -> Tensor:
    """kept with the entries of new along an axis, after past [b] positions of each row.

    Entry n is at position past + n; without count [b], at this index if there is one. With count kept is a
    ring: position p is at p modulo its length, and count says how many of the new entries of a row are written.
    """
    size, ahead = kept.shape[axis], new.shape[axis]
    slots = torch.arange(size, device=kept.device)
    if count is None:
        source = slots - past[:, None]
        written = (source >= 0) & (source < ahead)
    else:
        last = (past + count)[:, None] - 1
        source = last - (last - slots) % size - past[:, None]
        written = source >= 0
    shape = [1] * kept.dim()
    shape[0], shape[axis] = past.shape[0], size
    source = source.clamp(0, ahead - 1).view(shape).expand_as(kept)
    return torch.where(written.view(shape), new.gather(axis, source), kept)
'''


@record
class WritePositions(Primitive):
    """What is kept of past positions, with new ones written: operands kept [b ... m ...], new [b ... n ...], past [b].

    Entry n of a row with p past positions is at position p + n along `axis`: at this index, if there is one; or
    with `ring` at this index modulo m. A ring takes as fourth operand how many of the new entries of each row are
    written, the first ones; of two for one place it keeps the later.
    """

    name = "write_positions"
    signature = "b ..., b ..., b -> b ..."
    reads_more = "which entries are written depends on counts"

    axis: int
    ring: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of what is kept. Raises ShapeError where the new entries have other axes besides."""
        kept, new = inputs[:2]
        if len(inputs) != 3 + self.ring or any(x.rank != 1 or x.dtype != DType.INT64 for x in inputs[2:]):
            raise ShapeError("needs counts of past positions, one a row, and for a ring counts of new ones")
        place = axis_number(kept, self.axis)
        sizes = [list(x.shape[:place] + x.shape[place + 1 :]) for x in (kept, new)]
        if kept.rank != new.rank or kept.dtype != new.dtype or sizes[0] != sizes[1] or not place:
            raise ShapeError(f"{new} does not fit into {kept} along axis {self.axis}", (0, 1))
        return (TensorType(kept.dtype, kept.axes, kept.bound),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same entry of what is kept, every new one at the same place of the other axes, the counts of the row."""
        out, (kept, new, *counts) = outputs[0], inputs
        others = [(k, k) for k in range(out.rank) if k != self.axis % out.rank]
        own = aligned(out, kept, [(k, k) for k in range(out.rank)])
        return ((own, aligned(out, new, others), *(aligned(out, x, [(0, 0)]) for x in counts)),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The counts determine which entries are written."""
        everything = frozenset(range(len(inputs)))
        return (everything - {0, 1},) * 2 + (everything,) * (len(inputs) - 2)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis but that of the entries, or in terms."""
        kept = inputs[0]
        own = same(*(k for k in range(kept.rank) if k != self.axis % kept.rank))
        counts = [{0: 0} for _ in inputs[2:]]
        is_linear = kept.dtype is DType.FLOAT
        linear = [terms(Partial(), Partial(), *(Copied() for _ in counts))] if is_linear else []
        return (*along([own, own, *counts]), *linear)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Row by row, entry by entry."""
        import numpy as np

        kept, new, past, *counts = inputs
        found = np.moveaxis(kept, self.axis, 1).copy()
        rows, size = np.moveaxis(new, self.axis, 1), found.shape[1]
        for row, start in enumerate(past):
            for number in range(counts[0][row] if self.ring else rows.shape[1]):
                slot = (start + number) % size if self.ring else start + number
                if slot < size:
                    found[row, slot] = rows[row, number]
        return (np.moveaxis(found, 1, self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(_HELPER), *inputs[:3], str(self.axis), *inputs[3:]),)
