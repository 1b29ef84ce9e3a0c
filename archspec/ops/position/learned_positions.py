"""A learned vector for each position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Still
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Placement, PositionsOf, Primitive, Reads
from archspec.ir.operands import FLOAT, INTEGER, fits, require
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along, beside, free, tables, unread
from archspec.ir.signature import bind
from archspec.ir.source import operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class LearnedPositions(Primitive):
    """Rows `offset` to `offset + s` (excluded) of a table. The operand only provides the number of positions, s.

    With `ids` a second operand gives the positions [... s], of which those below 0 take the row of 0.

    Parameters: `positions` [rows, features]. The largest admitted s must fit.
    Source: Gehring et al. 2017, arXiv 1705.03122, section 3.1.
    """

    name = "learned_positions"
    signature = "... s d -> s d"
    acts = "nonlinear"

    rows: Dim
    offset: int = 0
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The positions and features of the operand. Raises ShapeError if positions may exceed the rows."""
        require(inputs, FLOAT, INTEGER)
        x = inputs[0]
        if self.ids:
            if inputs[1].bound is not None:
                fits(inputs[1].bound + self.offset, self.rows, "the number of positions")
            return (x.with_axes(*inputs[1].axes, x.axes[-1]),)
        bound = bind(self.signature, inputs)
        fits(bound.size("s") + self.offset, self.rows, "the number of positions")
        return (x.with_axes(*x.axes[-2:]),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        x = inputs[0]
        return {"positions": ParameterSpec(type=x.with_axes(self.rows, x.shape[-1]))}

    def placed(self, count: int) -> Placement | None:
        """The rows of given positions."""
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 0)))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The id of the same position, if there are ids; otherwise nothing: only the number of positions is used."""
        ids = inputs[1:]
        return ((NOTHING, *(aligned(outputs[0], x, [(k, k) for k in range(x.rank)]) for x in ids)),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By features, or in terms; with ids by any axis of them; the table that is taken whole by positions."""
        x, ids, rank = inputs[0], inputs[1:], outputs[0].rank
        ways = tables("positions", len(ids), (Shard(rank - 1), Shard(1)), (Partial(), Partial()))
        # A table that is taken as it is has a part of the positions for each rank.
        is_whole = not self.ids and x.shape[-2] == self.rows
        ways += tables("positions", 0, (Shard(0), Shard(0))) if is_whole else []
        own = same(*range(rank - 1))
        free_axes = range(x.rank) if self.ids or is_whole else free(x, x.shape[-2])
        return tuple(beside([unread(x, free_axes)], [*ways, *along([own for _ in ids])]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the ids, where there are any; else not at all, since only sizes are read."""
        return (together(operands[1:], [same(*range(one.rank)) for one in inputs[1:]]) if self.ids else Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`positions[offset : offset + s]`."""
        if self.ids:
            return (parameters["positions"][inputs[1].clip(min=0) + self.offset],)
        length = inputs[0].shape[-2]
        return (parameters["positions"][self.offset : self.offset + length],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A slice of the table, the whole table, or a lookup in it."""
        table = parameters["positions"]
        if self.ids:
            shift = f" + {self.offset}" if self.offset else ""
            return (f"F.embedding({operand(inputs[1])}.clamp(min=0){shift}, {table})",)
        length = e.types[0].shape[-2]
        if length == self.rows:
            return (table,)
        start = str(self.offset) if self.offset else ""
        return (f"{table}[{start}:{e.size(length + self.offset)}]",)
