"""Splitting of one axis into several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare, product
from archspec.ir.coordinates import atom_of, flat_equal, numbered, same_positions
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import operand
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Split(Primitive):
    """Split an axis into several, the first of `sizes` outermost: `[b, s, h*d] -> [b, s, h, d]`."""

    name = "split"
    signature = "... -> ..."
    anywhere = True
    sized = frozenset({"sizes"})
    view = True
    acts = "affine"

    axis: int
    sizes: tuple[Axis, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with the axis replaced by several. Raises ShapeError if the product of their sizes differs."""
        x = inputs[0]
        place = axis_number(x, self.axis)
        if compare(product(size.size for size in self.sizes), "==", x.shape[place]) is not True:
            parts = " * ".join(str(size) for size in self.sizes)
            raise ShapeError(f"axis {self.axis} of {x} does not have the size {parts}", (0,))
        return (x.with_axes(*x.axes[:place], *self.sizes, *x.axes[place + 1 :]),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same flat position."""
        x, y = inputs[0], outputs[0]
        place, more = self.axis % x.rank, len(self.sizes) - 1
        kept = [(k if k < place else k + more, k) for k in range(x.rank) if k != place]
        parts = numbered(y, *range(place, place + more + 1))
        found = [*same_positions(y, x, kept), *flat_equal(parts, numbered(x, place))]
        return ((Relation((atom_of(found),)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, of the parts of one the outermost, or in terms."""
        x, place, more = inputs[0], self.axis % inputs[0].rank, len(self.sizes) - 1
        inferred = self._inferred(x)
        written = (size.size for number, size in enumerate(self.sizes) if number != inferred)
        pairs = {k: k if k < place else k + more for k in free(x, *written) if k != place}
        # A part of the axis has a part of the outermost size, if it is not written as that of the whole.
        outermost = next((number for number, size in enumerate(self.sizes) if size.size != 1), 0)
        pairs |= {place: place + outermost} if not more or inferred == outermost else {}
        return (*along([pairs]), *summed(inputs))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Split:
        """With its part of the outermost size."""
        result, place = way.results[0], self.axis % inputs[0].rank
        sizes = (part_of_axis(size, result, place + k, ranks) for k, size in enumerate(self.sizes))
        return replace(self, sizes=tuple(sizes))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, where the parts hold apart what moves, or a move goes by whole parts."""
        (x,) = operands
        place, more = self.axis % inputs[0].rank, len(self.sizes) - 1
        if isinstance(x, Moves) and x.axis == place:
            return (_part(x, place, [size.size for size in self.sizes]),)
        kept = {k: k if k < place else k + more for k in range(inputs[0].rank) if k != place}
        return (together(operands, [kept], copies=True),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A reshape."""
        x = inputs[0]
        place = self.axis % x.ndim
        parts = [size.size.value(sizes) for size in self.sizes]
        return (x.reshape(*x.shape[:place], *parts, *x.shape[place + 1 :]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.unflatten(2, (-1, 64))`: a size that is only known at run time, or the heads of features, is inferred."""
        if len(self.sizes) == 1:
            return (inputs[0],)
        parts = [e.size(size.size) for size in self.sizes]
        inferred = self._inferred(e.types[0])
        if inferred is not None:
            parts[inferred] = "-1"
        place = self.axis % e.types[0].rank
        return (f"{operand(inputs[0])}.unflatten({place}, ({', '.join(parts)}))",)

    def _inferred(self, x: TensorType) -> int | None:
        """The number of the size that PyTorch infers, which it does for at most one; None if every one is written."""
        dynamic = [number for number, size in enumerate(self.sizes) if not size.size.is_constant]
        if dynamic:
            return dynamic[0] if len(dynamic) == 1 else None
        # A shard of a module has fewer heads. Other axes come from inputs, whose sizes the literals hold to the spec.
        features = x.rank - 1 if x.rank > 2 else 0
        return 0 if self.axis % x.rank == features and x.dtype == DType.FLOAT and self.sizes[0].size != 1 else None


def _part(x: Moves, place: int, sizes: Sequence[Dim]) -> Motion:
    """The motion of the parts of the moving axis: of the part that holds what moves, if it is one."""
    if x.front != 0 or x.back != 0:
        return lost("splits an axis that holds still positions beside those that move")
    for number, size in enumerate(sizes):
        outer, inner = product(sizes[:number]), product(sizes[number + 1 :])
        # What moves lies within one part where the parts around it divide what lies around it.
        around, inside = _over(x.outer, outer), _over(x.inner, inner)
        if around is not None and inside is not None:
            return replace(x, axis=place + number, outer=around, inner=inside)
        parts = _over(inner, x.inner)
        # A part of one position holds what moves only as a whole; one behind it holds it by position.
        if size != 1 and around == 1 and parts is not None and compare(size * parts, "==", x.size) is True:
            return _by_parts(replace(x, axis=place + number, outer=Dim.of(1), inner=Dim.of(1)), size, parts)
    return lost("splits what moves into parts that do not hold it")


def _by_parts(x: Moves, size: Dim, parts: Dim) -> Motion:
    """The motion of whole parts of what moves: of the number of the part, where a move is a multiple of its size."""
    count = parts.constant
    if count is None:
        return lost("splits what moves into parts of a size that is only known at run time")
    step = x.step / count
    if step.denominator != 1:
        x = x.breaks(f"has parts of {count} positions, which do not divide a move by {x.step}")
    return replace(x, size=size, step=step, high=x.high + x.span * (count - 1))


def _over(size: Dim, divisor: Dim) -> Dim | None:
    """A size divided by another one; None where it is not known to be a multiple."""
    found = size if divisor == 1 else size // divisor
    return found if compare(found * divisor, "==", size) is True else None
