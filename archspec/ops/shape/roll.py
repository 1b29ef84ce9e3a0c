"""Cyclic shift of positions along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import atom_of, flat_shifted, numbered, same_positions
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import CUT, same, shifted_along, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Roll(Primitive):
    """`y[i] = x[(i - by) mod n]` along an axis of n positions; a negative `by` moves to the front.

    The axis must be at least as long as the shift at every admitted size.
    """

    name = "roll"
    signature = "... -> ..."
    anywhere = True
    acts = "affine"

    axis: int
    by: Dim

    @property
    def wraps(self) -> bool:
        """Always."""
        return True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand. Raises ShapeError if the shift may be longer than the axis."""
        x = inputs[0]
        size = x.shape[axis_number(x, self.axis)]
        if compare(self.by, "<=", size) is not True or compare(-self.by, "<=", size) is not True:
            raise ShapeError(f"a shift by {self.by} may exceed axis {self.axis} of {x}", (0,))
        return (x,)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The position that is shifted to this one, from inside or from the other end."""
        x, y = inputs[0], outputs[0]
        place = self.axis % x.rank
        size = x.shape[place]
        same = list(same_positions(y, x, [(k, k) for k in range(x.rank) if k != place]))
        shifts = [self.by]
        # Positions that go over an end come back at the other: which end is known by the sign of the shift.
        shifts += [self.by - size] * (compare(self.by, "<=", 0) is not True)
        shifts += [self.by + size] * (compare(self.by, ">=", 0) is not True)
        moved = ((*same, *flat_shifted(numbered(y, place), numbered(x, place), shift)) for shift in shifts)
        return ((Relation(tuple(atom_of(one) for one in moved)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any other axis, or in terms."""
        kept = same(*(k for k in free(inputs[0], self.by) if k != self.axis % inputs[0].rank))
        return (*along([kept]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; a cyclic move is kept where all that moves is rolled."""
        (x,) = operands
        place, count = self.axis % inputs[0].rank, self.by.constant
        if not isinstance(x, Moves) or x.axis != place:
            return (together(operands, [same(*(k for k in range(inputs[0].rank) if k != place))], copies=True),)
        if not x.is_alone:
            return (lost("rolls an axis that holds more than what moves"),)
        if x.move.circular:
            return (x if x.is_whole else x.breaks("rolls a part of what moves cyclically"),)
        if count is None:
            return (lost("rolls by a number that is only known at run time"),)
        # Inside, what comes back at the other end is as something else that enters there.
        if not (x.ends[0] if count > 0 else x.ends[1]):
            x = x.breaks(CUT)
        return (shifted_along(x, -self.by, outputs[0].shape[place], ends=(count >= 0, count <= 0)),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`numpy.roll`."""
        import numpy as np

        return (np.roll(inputs[0], self.by.value(sizes), self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.roll(x, 1, 2)`."""
        return (call("torch.roll", inputs[0], e.size(self.by), str(self.axis)),)
