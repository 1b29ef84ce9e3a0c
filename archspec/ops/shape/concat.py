"""Concatenation of tensors along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import atom_of, flat_shifted, numbered, same_positions
from archspec.ir.motion import Everywhere, Lost, Motion, Moves, Still, lost
from archspec.ir.moving import first, same, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.relation.atoms import Range, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Concat(Primitive):
    """Concatenate tensors along an axis; all other axes must be equal."""

    name = "concat"
    signature = "..., ... -> ..."
    anywhere = True
    acts = "affine"

    axis: int

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with the sizes of the axis added up. Raises ShapeError for operands that differ in other axes."""
        first = _bounded(inputs)
        place = axis_number(first, self.axis)
        for number, other in enumerate(inputs):
            self._check(first, other, number)
        if len(inputs) == 1:
            return (first,)
        total = sum((x.shape[place] for x in inputs), Dim.of(0))
        axes = (*first.axes[:place], Axis((total,)), *first.axes[place + 1 :])
        return (TensorType(first.dtype, axes, first.bound),)

    def _check(self, first: TensorType, other: TensorType, number: int) -> None:
        """Raise ShapeError unless an operand has the dtype of the first, and its sizes on all other axes."""
        if first.dtype != other.dtype or first.rank != other.rank:
            raise ShapeError(f"{first} and {other} cannot be joined", (0, number))
        for k, (a, b) in enumerate(zip(first.shape, other.shape, strict=True)):
            if k != self.axis % first.rank and compare(a, "==", b) is not True:
                raise ShapeError(f"axis {k} is {a} in one operand and {b} in another", (0, number))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Each operand in its own range of the axis."""
        offset = Dim.of(0)
        relations = []
        for x in inputs:
            relations.append(self._stretch(outputs[0], x, offset))
            offset = offset + x.shape[self.axis]
        return (tuple(relations),)

    def _stretch(self, y: TensorType, x: TensorType, offset: Dim) -> Relation:
        """The relation to one operand, whose first position is at `offset` of the result."""
        place = self.axis % x.rank
        found = list(same_positions(y, x, [(k, k) for k in range(x.rank) if k != place]))
        if y.axes[place] == x.axes[place]:
            found += same_positions(y, x, [(place, place)])
            return Relation((atom_of(found),))
        out = numbered(y, place)
        found += flat_shifted(out, numbered(x, place), offset)
        stretch = Range(side="out", coordinate=out[0][0], lo=offset, hi=offset + x.shape[place] - 1)
        return Relation((atom_of(found, (stretch,)),))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any other axis, or in terms."""
        place = self.axis % inputs[0].rank
        kept = same(*(k for k in range(inputs[0].rank) if k != place or len(inputs) == 1))
        return (*along([kept for _ in inputs]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With one operand along the joined axis, beside which the others are still; along other axes with all."""
        place = self.axis % inputs[0].rank
        unknown = first(operands, Lost) or (None if len(operands) > 1 else first(operands, Everywhere))
        moving = [k for k, one in enumerate(operands) if isinstance(one, Moves) and one.axis == place]
        if unknown is not None or len(moving) > 1 or first(operands, Everywhere) is not None:
            return (unknown or lost("joins parts that do not move together"),)
        if not moving:
            kept = same(*(k for k in range(inputs[0].rank) if k != place))
            return (together(operands, [kept for _ in operands], copies=True),)
        (number,) = moving
        x = operands[number]
        assert isinstance(x, Moves)
        if not all(isinstance(one, Still) for k, one in enumerate(operands) if k != number):
            return (lost("joins parts that do not move together"),)
        before, after = (
            sum((one.shape[place] for one in part), Dim.of(0)) for part in (inputs[:number], inputs[number + 1 :])
        )
        return (replace(x, front=x.front + before, back=x.back + after),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A concatenation."""
        import numpy as np

        return (np.concatenate(list(inputs), axis=self.axis),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`torch.cat((a, b), dim=1)`."""
        operands = f"({', '.join(inputs)}{',' if len(inputs) == 1 else ''})"
        return (f"torch.cat({operands}, dim={self.axis})",)


def _bounded(inputs: Sequence[TensorType]) -> TensorType:
    """The first type, with a bound on values that holds for all operands."""
    first = inputs[0]
    bound = first.bound
    for other in inputs[1:]:
        if bound is None or other.bound is None:
            bound = None
        elif compare(bound, "<=", other.bound) is True:
            bound = other.bound
        elif compare(other.bound, "<=", bound) is not True:
            bound = None
    return TensorType(first.dtype, first.axes, bound)
