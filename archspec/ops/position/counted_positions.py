"""A learned vector for each counted position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned, numbered
from archspec.ir.moving import same
from archspec.ir.op import Emitter, ParameterSpec, Placement, PositionsOf, Primitive, Reads, ShapeError
from archspec.ir.operands import BOOL, INTEGER, fits, require
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along, tables
from archspec.ir.signature import bind
from archspec.ir.source import call, named
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import ZERO, Atom, Difference, Relation
from archspec.relation.meet import meet

if TYPE_CHECKING:
    from archspec.ir.op import Array


_COUNTED = '''
def counted_at(valid: Tensor, wanted: Tensor, positions: Tensor, offset: int) -> Tensor:
    """Numbers [b, n] of valid [b, m] entries before those at wanted [b, n] positions, plus an offset.

    Entries that are not valid themselves have the number offset - 1, or 0. positions [b, m] or [m] are those of valid.
    """
    ahead = wanted[:, :, None] - positions[..., None, :]
    kept = (valid & (positions >= 0))[:, None]
    counts = (kept & (ahead >= 0)).sum(-1)
    return torch.where((kept & (ahead == 0)).any(-1), counts + offset - 1, max(offset - 1, 0))
'''


@record
class CountedPositions(Primitive):
    """Row `offset + n` of a table for a valid position, where n is the number of valid positions before it.

    Invalid positions get row `offset - 1`, or row 0 if the offset is 0. The operand [... s] is true where valid.
    With `ids` the operands are valid [b, m] and the positions [b, n] of the result's entries and [m] or [b, m] of those
    of valid, which are counted up to each entry's position.

    Parameters: `positions` [rows, features]. The largest admitted s must fit.
    Source: Liu et al. 2019 (RoBERTa), arXiv 1907.11692, reference implementation.
    """

    name = "counted_positions"
    signature = "... s -> ... s d"
    acts = "nonlinear"
    reads_more = "the row of an invalid position does not depend on the count"

    rows: Dim
    features: Axis
    offset: int = 0
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the operand followed by the features. Raises ShapeError if positions may exceed the rows."""
        valid = inputs[0]
        if self.ids:
            require(inputs, BOOL, INTEGER, INTEGER)
            if valid.rank != 2 or inputs[1].rank != 2 or inputs[2].shape[-1] != valid.shape[1]:
                raise ShapeError(f"positions do not number the entries of {valid}", (1, 2))
            if inputs[1].bound is not None:
                fits(inputs[1].bound + self.offset, self.rows, "the number of positions")
            return (TensorType(DType.FLOAT, (valid.axes[0], inputs[1].axes[1], self.features)),)
        require(inputs, BOOL)
        fits(bind(self.signature, inputs).size("s") + self.offset, self.rows, "the number of positions")
        return (TensorType(DType.FLOAT, (*valid.axes, self.features)),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        return {"positions": ParameterSpec(type=TensorType.of(DType.FLOAT, self.rows, self.features.size))}

    def placed(self, count: int) -> Placement | None:
        """The count of valid entries up to given positions."""
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 1), PositionsOf(0, 1)))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same sequence, up to and including the position itself."""
        valid, out = inputs[0], outputs[0]
        if self.ids:
            rows = [(0, 0)] if inputs[2].rank > 1 else []
            own = aligned(out, inputs[1], [(0, 0), (1, 1)])
            return ((aligned(out, valid, [(0, 0)]), own, aligned(out, inputs[2], rows)),)
        last = valid.rank - 1
        sequence = aligned(out, valid, [(k, k) for k in range(last)])
        left, right = numbered(out, last), numbered(valid, last)
        # Positions of several factors have no single order to bound: the whole sequence is a sound bound.
        if len(left) != 1:
            return ((sequence,),)
        before = Difference(out=left[0][0], inp=right[0][0], lo=ZERO)
        return ((meet(sequence, Relation((Atom(differences=frozenset({before})),))),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By features, by any axis but the positions that are counted, or in terms."""
        features = outputs[0].rank - 1
        ways = tables("positions", len(inputs), (Shard(features), Shard(1)), (Partial(), Partial()))
        if not self.ids:
            return (*ways, *along([same(*range(features - 1))]))
        positions = {0: 0} if inputs[2].rank > 1 else {}
        return (*ways, *along([{0: 0}, {0: 0, 1: 1}, positions]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> CountedPositions:
        """With its part of the features."""
        return replace(self, features=part_of_axis(self.features, way.parameters.get("positions"), 1, ranks))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The table rows, with positions counted one by one."""
        import numpy as np

        valid = inputs[0].astype(bool)
        if self.ids:
            at = inputs[1][:, :, None] - (inputs[2] if inputs[2].ndim == 1 else inputs[2][:, None])
            valid = valid[:, None] & (inputs[2] >= 0 if inputs[2].ndim == 1 else inputs[2][:, None] >= 0)
            counts, own = (valid & (at >= 0)).sum(-1), (valid & (at == 0)).any(-1)
            return (parameters["positions"][np.where(own, counts - 1 + self.offset, max(self.offset - 1, 0))],)
        before = np.cumsum(valid, axis=-1) - 1 + self.offset
        rows = np.where(valid, before, max(self.offset - 1, 0))
        return (parameters["positions"][rows],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A cumulative sum, and a lookup in the table; a helper function counts at given positions."""
        if self.ids:
            rows = e.assign("rows", call(e.helper(_COUNTED), *inputs, str(self.offset)))
            return (f"F.embedding({rows}, {parameters['positions']})",)
        valid = named(e, "valid", inputs[0])
        counted = f"{valid}.cumsum(-1) * {valid}"
        # An inclusive count is one more than the number of valid positions before, and 0 where invalid.
        shift = self.offset - 1
        rows = f"{counted} + {shift}" if shift > 0 else counted
        if shift < 0:
            rows = f"({counted} - 1).clamp(min=0)"
        return (f"F.embedding({e.assign('rows', rows)}, {parameters['positions']})",)
