"""The base of ops that look up rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import ParameterSpec, Primitive, Reads
from archspec.ir.operands import INTEGER, require
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along, tables
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import identity


@record
class RowLookup(Primitive):
    """An op that gives for each id a row of the parameter `table` [rows, features]."""

    signature = "... -> ... d"
    anywhere = True
    acts = "nonlinear"

    rows: Dim
    features: Axis

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the ids followed by the features."""
        require(inputs, INTEGER)
        return (TensorType.of(DType.FLOAT, *inputs[0].axes, self.features),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        table = TensorType.of(DType.FLOAT, self.rows, self.features)
        return {"table": ParameterSpec(type=table, channels=1, rows=True)}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The id at the same position."""
        return ((identity(count(inputs[0].axes)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis of the ids; by features; in terms."""
        ways = tables("table", 1, (Shard(inputs[0].rank), Shard(1)), (Partial(), Partial()))
        return (*ways, *along([same(*range(inputs[0].rank))]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Primitive:
        """With its part of the features."""
        return replace(self, features=part_of_axis(self.features, way.parameters.get("table"), 1, ranks))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the ids."""
        return (together(operands, [same(*range(inputs[0].rank))]),)
