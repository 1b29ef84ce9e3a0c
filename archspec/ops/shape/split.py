"""Splitting of one axis into several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import compare, product
from archspec.ir.coordinates import atom_of, flat_equal, numbered, same_positions
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.source import operand
from archspec.ir.types import Axis, TensorType
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

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A reshape."""
        x = inputs[0]
        place = self.axis % x.ndim
        parts = [size.size.value(sizes) for size in self.sizes]
        return (x.reshape(*x.shape[:place], *parts, *x.shape[place + 1 :]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.unflatten(2, (8, 64))`; the one size that is only known at run time is written as -1."""
        dynamic = [size for size in self.sizes if not size.size.is_constant]
        # PyTorch infers at most one size, so -1 stands for a dynamic size only if there is just one.
        parts = ["-1" if dynamic == [size] else e.size(size.size) for size in self.sizes]
        place = self.axis % e.types[0].rank
        return (f"{operand(inputs[0])}.unflatten({place}, ({', '.join(parts)}))",)
