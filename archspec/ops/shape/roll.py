"""Cyclic shift of positions along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import atom_of, flat_shifted, numbered, same_positions
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
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

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`numpy.roll`."""
        import numpy as np

        return (np.roll(inputs[0], self.by.value(sizes), self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.roll(x, 1, 2)`."""
        return (call("torch.roll", inputs[0], e.size(self.by), str(self.axis)),)
