"""Rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import INTEGER, require, within_bound
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Copied, Partial, Shard, Sharding
from archspec.ir.sharded import along, tables
from archspec.ir.source import call
from archspec.ir.types import Axis, DType, TensorType
from archspec.ops.linear.embedding_part import EmbeddingPart
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Embedding(Primitive):
    """`y = table[ids]`.

    Parameters: `table` [rows, features]. A bound on the ids must not exceed the rows.
    """

    name = "embedding"
    signature = "... -> ... d"
    anywhere = True
    acts = "nonlinear"

    rows: Dim
    features: Axis

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the ids followed by the features. Raises ShapeError if the ids may exceed the rows."""
        require(inputs, INTEGER)
        within_bound(inputs[0], self.rows, "a table")
        return (TensorType.of(DType.FLOAT, *inputs[0].axes, self.features),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        table = TensorType.of(DType.FLOAT, self.rows, self.features)
        return {"table": ParameterSpec(type=table, channels=1, rows=True)}

    def indexes(self, inputs: Sequence[TensorType]) -> Mapping[int, Dim]:
        """The rows of the table."""
        return {0: self.rows}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The id at the same position."""
        return ((identity(count(inputs[0].axes)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis of the ids; by features; by rows of the table, which leaves terms; in terms."""
        rows = Sharding(operands=(Copied(),), results=(Partial(),), parameters={"table": Shard(0)}, rows=0)
        ways = tables("table", 1, (Shard(inputs[0].rank), Shard(1)), (Partial(), Partial()))
        return (rows, *ways, *along([same(*range(inputs[0].rank))]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Primitive:
        """With its part of the features, or of the rows: then ids of rows elsewhere give zeros."""
        if way.rows is not None:
            rows = self.rows // ranks
            return EmbeddingPart(rows=rows, features=self.features, first=rank * rows)
        return replace(self, features=part_of_axis(self.features, way.parameters.get("table"), 1, ranks))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the ids."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`table[ids]`."""
        return (parameters["table"][inputs[0]],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.embedding`."""
        return (call("F.embedding", inputs[0], parameters["table"]),)
