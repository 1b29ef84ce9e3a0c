"""A learned vector for each counted position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned, numbered
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import BOOL, fits, require
from archspec.ir.signature import bind
from archspec.ir.source import named
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import ZERO, Atom, Difference, Relation
from archspec.relation.meet import meet

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class CountedPositions(Primitive):
    """Row `offset + n` of a table for a valid position, where n is the number of valid positions before it.

    Invalid positions get row `offset - 1`, or row 0 if the offset is 0. The operand [... s] is true where valid.

    Parameters: `positions` [rows, features]. The largest admitted s must fit.
    Source: Liu et al. 2019 (RoBERTa), arXiv 1907.11692, reference implementation.
    """

    name = "counted_positions"
    signature = "... s -> ... s d"
    reads_more = "the row of an invalid position does not depend on the count"

    rows: Dim
    features: Axis
    offset: int = 0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the operand followed by the features. Raises ShapeError if positions may exceed the rows."""
        require(inputs, BOOL)
        valid = inputs[0]
        fits(bind(self.signature, inputs).size("s") + self.offset, self.rows, "the number of positions")
        return (TensorType(DType.FLOAT, (*valid.axes, self.features)),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        return {"positions": ParameterSpec(type=TensorType.of(DType.FLOAT, self.rows, self.features.size))}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same sequence, up to and including the position itself."""
        valid, out = inputs[0], outputs[0]
        last = valid.rank - 1
        sequence = aligned(out, valid, [(k, k) for k in range(last)])
        left, right = numbered(out, last), numbered(valid, last)
        # Positions of several factors have no single order to bound: the whole sequence is a sound bound.
        if len(left) != 1:
            return ((sequence,),)
        before = Difference(out=left[0][0], inp=right[0][0], lo=ZERO)
        return ((meet(sequence, Relation((Atom(differences=frozenset({before})),))),),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The table rows, with positions counted one by one."""
        import numpy as np

        valid = inputs[0].astype(bool)
        before = np.cumsum(valid, axis=-1) - 1 + self.offset
        rows = np.where(valid, before, max(self.offset - 1, 0))
        return (parameters["positions"][rows],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A cumulative sum, and a lookup in the table."""
        valid = named(e, "valid", inputs[0])
        counted = f"{valid}.cumsum(-1) * {valid}"
        # An inclusive count is one more than the number of valid positions before, and 0 where invalid.
        shift = self.offset - 1
        rows = f"{counted} + {shift}" if shift > 0 else counted
        if shift < 0:
            rows = f"({counted} - 1).clamp(min=0)"
        return (f"F.embedding({e.assign('rows', rows)}, {parameters['positions']})",)
