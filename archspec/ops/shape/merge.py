"""Merging of adjacent axes into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import product
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.source import operand
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Merge(Primitive):
    """Merge `count` adjacent axes into one, the first outermost: `[b, h, s, d] -> [b, h, s*d]`.

    The merged axis keeps the original axes as factors.
    """

    name = "merge"
    # Not a view: after a transpose, as of heads and positions, PyTorch has to copy.
    signature = "... -> ..."
    anywhere = True
    acts = "affine"

    axis: int
    count: int = 2

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with the axes merged into one. Raises ShapeError if it has too few axes."""
        x = inputs[0]
        first = axis_number(x, self.axis)
        if first + self.count > x.rank:
            raise ShapeError(f"{x} does not have {self.count} axes starting at axis {self.axis}", (0,))
        merged = x.axes[first : first + self.count]
        axis = Axis(tuple(factor for one in merged for factor in one.factors))
        return (x.with_axes(*x.axes[:first], axis, *x.axes[first + self.count :]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same coordinates."""
        return ((identity(count(inputs[0].axes)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, of those that are merged the first, or in terms."""
        place, rest = self.axis % inputs[0].rank, self.count - 1
        kept = {k: k if k <= place else k - rest for k in range(inputs[0].rank) if not place < k <= place + rest}
        return (*along([kept]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand: the axes around the moving one become a part of it."""
        (x,) = operands
        place = self.axis % inputs[0].rank
        rest = self.count - 1
        if isinstance(x, Moves) and place <= x.axis <= place + rest:
            sizes = inputs[0].shape[place : place + self.count]
            outer, inner = product(sizes[: x.axis - place]), product(sizes[x.axis - place + 1 :])
            if (x.front != 0 or x.back != 0) and outer != 1:
                return (lost("merges an axis that holds still positions beside those that move"),)
            front, back = x.front * inner, x.back * inner
            return (replace(x, axis=place, outer=x.outer * outer, inner=x.inner * inner, front=front, back=back),)
        kept = {k: k if k < place else k - rest for k in range(inputs[0].rank) if not place <= k <= place + rest}
        return (together(operands, [kept], copies=True),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A reshape."""
        import numpy as np

        x = inputs[0]
        first = self.axis % x.ndim
        last = first + self.count
        merged = int(np.prod(x.shape[first:last]))
        return (x.reshape(*x.shape[:first], merged, *x.shape[last:]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.flatten(2)`, with the last merged axis as a second argument if it is not the last axis of the operand."""
        first = self.axis % e.types[0].rank
        last = first + self.count - 1
        end = "" if last == e.types[0].rank - 1 else f", {last}"
        return (f"{operand(inputs[0])}.flatten({first}{end})",)
