"""A learned vector for each position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import FLOAT, fits, require
from archspec.ir.signature import bind
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class LearnedPositions(Primitive):
    """Rows `offset` to `offset + s` (excluded) of a table. The operand only provides the number of positions, s.

    Parameters: `positions` [rows, features]. The largest admitted s must fit.
    Source: Gehring et al. 2017, arXiv 1705.03122, section 3.1.
    """

    name = "learned_positions"
    signature = "... s d -> s d"

    rows: Dim
    offset: int = 0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The positions and features of the operand. Raises ShapeError if positions may exceed the rows."""
        require(inputs, FLOAT)
        x = inputs[0]
        bound = bind(self.signature, inputs)
        fits(bound.size("s") + self.offset, self.rows, "the number of positions")
        return (x.with_axes(*x.axes[-2:]),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        x = inputs[0]
        return {"positions": ParameterSpec(type=x.with_axes(self.rows, x.shape[-1]))}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing: only the number of positions is used."""
        return ((NOTHING,),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`positions[offset : offset + s]`."""
        length = inputs[0].shape[-2]
        return (parameters["positions"][self.offset : self.offset + length],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A slice of the table, or the whole table."""
        table = parameters["positions"]
        length = e.types[0].shape[-2]
        if length == self.rows:
            return (table,)
        start = str(self.offset) if self.offset else ""
        return (f"{table}[{start}:{e.size(length + self.offset)}]",)
