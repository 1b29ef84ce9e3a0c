"""Shift of positions along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import atom_of, flat_shifted, numbered, same_positions
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import CUT, same, shifted_along, together
from archspec.ir.op import Emitter, Placement, PositionsOf, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.state.entries_before import EntriesBefore
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Shift(Primitive):
    """`y[i] = x[i - by]` along an axis, and `fill` where there is no such position; a negative `by` moves to the front.

    The axis must be at least as long as the shift at every admitted size.
    """

    name = "shift"
    signature = "... -> ..."
    anywhere = True
    acts = "affine"

    axis: int
    by: Dim
    fill: Scalar

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand without its bound. Raises ShapeError if the shift may be longer than the axis."""
        x = inputs[0]
        size = x.shape[axis_number(x, self.axis)]
        if compare(self.by, "<=", size) is not True or compare(-self.by, "<=", size) is not True:
            raise ShapeError(f"a shift by {self.by} may exceed axis {self.axis} of {x}", (0,))
        # `with_axes` drops the bound on the values, which the fill need not keep.
        return (x.with_axes(*x.axes),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The position that is shifted to this one."""
        x, y = inputs[0], outputs[0]
        place = self.axis % x.rank
        found = list(same_positions(y, x, [(k, k) for k in range(x.rank) if k != place]))
        found += flat_shifted(numbered(y, place), numbered(x, place), self.by)
        return ((Relation((atom_of(found),)),),)

    def placed(self, count: int) -> Placement | None:
        """The entries before these, with positions of both."""
        op = EntriesBefore(axis=self.axis, by=self.by, fill=self.fill)
        return Placement(op=op, operands=(0, PositionsOf(None, self.axis), PositionsOf(0, self.axis)))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any other axis; in terms, if zeros enter."""
        kept = same(*(k for k in free(inputs[0], self.by, self.fill) if k != self.axis % inputs[0].rank))
        return (*along([kept]), *(summed(inputs) if self.fill == Scalar.of(0) else ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; along the moving axis something else enters at one end."""
        (x,) = operands
        place, by = self.axis % inputs[0].rank, self.by
        if not isinstance(x, Moves) or x.axis != place:
            return (together(operands, [same(*(k for k in range(inputs[0].rank) if k != place))], copies=True),)
        if x.move.circular:
            return (x.breaks("fills positions that a shift leaves empty"),)
        count = by.constant
        if count is None:
            return (lost("shifts by a number that is only known at run time"),)
        if not (x.ends[0] if count > 0 else x.ends[1]):
            x = x.breaks(CUT)
        return (shifted_along(x, -by, outputs[0].shape[place], ends=(count >= 0, count <= 0)),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A copy of the part that stays inside the axis."""
        import numpy as np

        x, by = inputs[0], self.by.value(sizes)
        size = x.shape[self.axis]
        y = np.full_like(x, self.fill.evaluate(sizes))
        to, of = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        to[self.axis] = slice(max(by, 0), size + min(by, 0))
        of[self.axis] = slice(max(-by, 0), size - max(by, 0))
        y[tuple(to)] = x[tuple(of)]
        return (y,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.pad(x, (0, 0, 1, -1))`: a negative padding removes positions."""
        rank = e.types[0].rank
        # `F.pad` lists axes from the last one, and removes positions where a number is negative.
        pads = ["0"] * (2 * (rank - 1 - self.axis % rank)) + [e.size(self.by), e.size(-self.by)]
        value = None if self.fill == Scalar.of(0) else e.number(self.fill)
        return (call("F.pad", inputs[0], f"({', '.join(pads)})", value=value),)
