"""One position of an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import at_position, atom_of, numbered, same_positions
from archspec.ir.motion import Motion, Moves, Still, lost
from archspec.ir.moving import together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.source import index, operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Take(Primitive):
    """One position of an axis, which is removed: `[b, s, d] -> [b, d]`; a negative `index` counts from the end."""

    name = "take"
    signature = "... -> ..."
    anywhere = True
    view = True
    acts = "affine"

    axis: int
    index: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type without the axis. Raises ShapeError if the axis may be too short."""
        x = inputs[0]
        place = axis_number(x, self.axis)
        if compare(x.shape[place], ">", -1 - self.index if self.index < 0 else self.index) is not True:
            raise ShapeError(f"axis {self.axis} of {x} may have no position {self.index}", (0,))
        return (x.with_axes(*x.axes[:place], *x.axes[place + 1 :]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The taken position, at the same position of all other axes."""
        x, y = inputs[0], outputs[0]
        place = self.axis % x.rank
        kept = [(k if k < place else k - 1, k) for k in range(x.rank) if k != place]
        position = x.shape[place] + self.index if self.index < 0 else Dim.of(self.index)
        atom = atom_of(same_positions(y, x, kept), at_position(numbered(x, place), position))
        return ((Relation((atom,)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any other axis, or in terms."""
        place = self.axis % inputs[0].rank
        kept = {k: k if k < place else k - 1 for k in range(inputs[0].rank) if k != place}
        return (*along([kept]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand along other axes; a still position of the moving axis stays."""
        (x,) = operands
        place = self.axis % inputs[0].rank
        if isinstance(x, Moves) and x.axis == place:
            start = compare(self.index, "<", x.front) if self.index >= 0 else compare(-self.index, "<=", x.back)
            return (Still() if start is True else lost("takes one position of what moves"),)
        kept = {k: k if k < place else k - 1 for k in range(inputs[0].rank) if k != place}
        return (together(operands, [kept], copies=True),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """An index."""
        return (inputs[0].take(self.index, axis=self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x[:, 0]`."""
        return (f"{operand(inputs[0])}{index(self.axis, str(self.index))}",)
