"""The base of ops that compute a bias for attention scores from positions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Placement, PositionsOf, Primitive, Reads
from archspec.ir.operands import FLOAT, INTEGER, require
from archspec.ir.parts import parts_of
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along, beside, tables, unread
from archspec.ir.signature import bind
from archspec.ir.types import TensorType, axis
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class ScoreBias(Primitive):
    """A bias [1 h s t] for `heads` heads; of queries [... s d] and keys [... t e], only the sizes are used.

    With `ids` the operands are one that gives precision and device, the positions of the queries [b s] and those of
    the keys [b t] or [t]; the result is [b h s t].
    """

    signature = "... s d, ... t e -> 1 h s t"

    _heads_axis: ClassVar[int] = 1
    """The axis of the table that has the heads."""

    heads: int
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Float [1 h s t]: batch of 1, or with ids of the rows, heads, queries, keys."""
        if self.ids:
            require(inputs, FLOAT, INTEGER)
            x, *positions = inputs
            bound = bind("b s, b t -> b s t" if positions[1].rank > 1 else "b s, t -> b s t", positions)
            return (x.with_axes(bound["b"], axis(self.heads), bound["s"], bound["t"]),)
        require(inputs, FLOAT)
        queries, keys = (TensorType.of(x.dtype, *x.axes[-2:]) for x in inputs)
        bound = bind("s d, t e -> 1 h s t", (queries, keys))
        return (inputs[0].with_axes(1, axis(self.heads), bound["s"], bound["t"]),)

    def placed(self, count: int) -> Placement | None:
        """The bias of given positions."""
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 2), PositionsOf(None, 3)))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The ids of the query and of the key; without ids nothing: only the number of positions is used."""
        if not self.ids:
            return ((NOTHING, NOTHING),)
        out, keys = outputs[0], [(0, 0), (3, 1)] if inputs[2].rank == 2 else [(3, 0)]
        return ((NOTHING, aligned(out, inputs[1], [(0, 0), (2, 1)]), aligned(out, inputs[2], keys)),)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the numbers of positions are read; biases are those of differences of positions."""
        return super().moved(operands, inputs, outputs) if self.ids else (Still(relative=True),)

    def _unused(self, number: int, x: TensorType) -> Sequence[int]:
        """The axes of an operand whose sizes are not used: all but that of the positions."""
        return [axis for axis in range(x.rank) if axis != x.rank - 2]

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By heads or in terms, if the biases are learned; with ids by rows, queries or keys."""
        ways = []
        if self.parameters(*inputs):
            by_heads, linear = (Shard(1), Shard(self._heads_axis)), (Partial(), Partial())
            ways = tables("table", len(inputs) - 1 if self.ids else 0, by_heads, linear)
        if self.ids:
            keys = {0: 0, 1: 3} if inputs[2].rank == 2 else {0: 3}
            return tuple(beside([unread(inputs[0], range(inputs[0].rank))], [*ways, *along([{0: 0, 1: 2}, keys])]))
        return tuple(beside([unread(x, self._unused(number, x)) for number, x in enumerate(inputs)], ways))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> ScoreBias:
        """With its part of the heads."""
        return replace(self, heads=self.heads // parts_of(way.results[0], 1, ranks))

    def distances(self, inputs: Sequence[Array]) -> Array:
        """Key minus query position, [s t] or with ids [b s t]."""
        import numpy as np

        if self.ids:
            return inputs[2][..., None, :] - inputs[1][..., :, None]
        rows, columns = (np.arange(x.shape[-2]) for x in inputs)
        return columns - rows[:, None]


def looked_up(table: Array, numbers: Array) -> Array:
    """The rows `numbers` [s t] or [b s t] of a table [rows, heads], as [1 h s t] or [b h s t]."""
    import numpy as np

    found = np.moveaxis(table[numbers], -1, -3)
    return found[None] if found.ndim == 3 else found


def look_up(table: str, numbers: str, rows: bool = False) -> str:
    """The source that looks up rows `numbers` [s t] of a table [rows, heads], as [1 h s t].

    With `rows` the numbers are [b s t] and the result is [b h s t].
    """
    if rows:
        return f"F.embedding({numbers}, {table}).permute(0, 3, 1, 2)"
    return f"F.embedding({numbers}, {table}).permute(2, 0, 1)[None]"
