"""Some rows of a table that is parted over ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import INTEGER, require
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along, tables
from archspec.ir.source import call
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def rows_from(ids: Tensor, first: int, table: Tensor) -> Tensor:
    """The rows of a table that begins with row `first` of a larger one; zeros for others."""
    own = ids - first
    elsewhere = (own < 0) | (own >= table.shape[0])
    rows = F.embedding(own.masked_fill(elsewhere, 0), table)
    return rows.masked_fill(elsewhere[..., None], 0)
'''


@record
class EmbeddingPart(Primitive):
    """`y = table[ids - first]`, and zeros where the table has no such row: a rank's term of a lookup.

    Parameters: `table` [rows, features], rows `first` and on of a larger table.
    Source: Shoeybi et al. 2019, arXiv 1909.08053, section 3.
    """

    name = "embedding_part"
    signature = "... -> ... d"
    anywhere = True
    acts = "nonlinear"

    rows: Dim
    features: Axis
    first: Dim

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

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> EmbeddingPart:
        """With its part of the features."""
        return replace(self, features=part_of_axis(self.features, way.parameters.get("table"), 1, ranks))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the ids."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`table[ids - first]`, or zeros."""
        import numpy as np

        table, own = parameters["table"], inputs[0] - self.first.value({})
        has = (own >= 0) & (own < len(table))
        return (np.where(has[..., None], table[np.where(has, own, 0)], 0.0),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function."""
        return (call(e.helper(_HELPER), inputs[0], e.size(self.first), parameters["table"]),)
