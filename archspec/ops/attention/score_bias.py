"""The base of ops that compute a bias for attention scores from positions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.signature import bind
from archspec.ir.types import TensorType, axis
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class ScoreBias(Primitive):
    """A bias [1 h s t] for `heads` heads; of queries [... s d] and keys [... t e], only the sizes are used."""

    signature = "... s d, ... t e -> 1 h s t"

    heads: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Float [1 h s t]: batch of 1, heads, queries, keys."""
        require(inputs, FLOAT)
        queries, keys = (TensorType.of(x.dtype, *x.axes[-2:]) for x in inputs)
        bound = bind("s d, t e -> 1 h s t", (queries, keys))
        return (inputs[0].with_axes(1, axis(self.heads), bound["s"], bound["t"]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the number of positions is used, not the values."""
        return ((NOTHING, NOTHING),)


def looked_up(table: Array, numbers: Array) -> Array:
    """The rows `numbers` [s t] of a table [rows, heads], as [1 h s t]."""
    import numpy as np

    return np.moveaxis(table[numbers], -1, 0)[None]


def look_up(table: str, numbers: str) -> str:
    """The source that looks up rows `numbers` [s t] of a table [rows, heads], as [1 h s t]."""
    return f"F.embedding({numbers}, {table}).permute(2, 0, 1)[None]"
