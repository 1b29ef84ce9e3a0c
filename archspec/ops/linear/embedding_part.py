"""Some rows of a table that is parted over ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.linear.row_lookup import RowLookup
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_HELPER = '''
def rows_from(ids: Tensor, first: int, rows: int, table: Tensor) -> Tensor:
    """The rows of a table that begins with row `first` of one with `rows`; zeros for the others of that."""
    own = ids - first
    elsewhere = (own < 0) | (own >= table.shape[0])
    known = (ids >= 0) & (ids < rows)
    found = F.embedding(own.masked_fill(elsewhere & known, 0), table)
    return found.masked_fill(elsewhere[..., None], 0)
'''


@record
class EmbeddingPart(RowLookup):
    """`y = table[ids - first]`, and zeros for the other rows of a table with `of` rows: a rank's term of a lookup.

    Parameters: `table` [rows, features], rows `first` and on of the larger table.
    Source: Shoeybi et al. 2019, arXiv 1909.08053, section 3.
    """

    name = "embedding_part"

    first: Dim
    of: Dim

    def indexes(self, inputs: Sequence[TensorType]) -> Mapping[int, Dim]:
        """The rows of the larger table."""
        return {0: self.of}

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
        return (call(e.helper(_HELPER), inputs[0], e.size(self.first), e.size(self.of), parameters["table"]),)
