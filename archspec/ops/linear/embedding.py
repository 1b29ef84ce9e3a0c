"""Rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter, Primitive
from archspec.ir.operands import within_bound
from archspec.ir.placement import Copied, Partial, Shard, Sharding
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.linear.embedding_part import EmbeddingPart
from archspec.ops.linear.row_lookup import RowLookup
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Embedding(RowLookup):
    """`y = table[ids]`.

    Parameters: `table` [rows, features]. A bound on the ids must not exceed the rows.
    """

    name = "embedding"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the ids followed by the features. Raises ShapeError if the ids may exceed the rows."""
        found = super().infer(*inputs)
        within_bound(inputs[0], self.rows, "a table")
        return found

    def indexes(self, inputs: Sequence[TensorType]) -> Mapping[int, Dim]:
        """The rows of the table."""
        return {0: self.rows}

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows of the table, which leaves terms; by any axis of the ids; by features; in terms."""
        rows = Sharding(operands=(Copied(),), results=(Partial(),), parameters={"table": Shard(0)}, rows=0)
        return (rows, *super().shardings(inputs, outputs))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Primitive:
        """With its part of the features, or of the rows: then ids of rows elsewhere give zeros."""
        if way.rows is not None:
            rows = self.rows // ranks
            return EmbeddingPart(rows=rows, features=self.features, first=rank * rows, of=self.rows)
        return super().on_rank(inputs, way, ranks, rank)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`table[ids]`."""
        return (parameters["table"][inputs[0]],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.embedding`."""
        return (call("F.embedding", inputs[0], parameters["table"]),)
