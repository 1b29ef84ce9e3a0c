"""A slice of an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import atom_of, flat_shifted, numbered, same_positions
from archspec.ir.motion import Motion, Moves, Still
from archspec.ir.moving import same, shifted_along, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import axis_number
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import index, operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Slice(Primitive):
    """Positions `start` to `stop` (excluded) of an axis; without `stop`, up to the end.

    Negative constants count from the end. The range must lie inside the axis at every admitted size.
    """

    name = "slice"
    signature = "... -> ..."
    anywhere = True
    view = True
    acts = "affine"

    axis: int
    start: Dim
    stop: Dim | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type with the axis shortened.

        Raises ShapeError if the slice may exceed the axis or be negative, or if it is empty at all admitted sizes.
        """
        x = inputs[0]
        place = axis_number(x, self.axis)
        size = x.shape[place]
        start, stop = self._ends(size)
        inside = (compare(0, "<=", start), compare(start, "<=", stop), compare(stop, "<=", size))
        if inside != (True, True, True):
            raise ShapeError(f"the range {start} to {stop} may exceed axis {self.axis} of {x}", (0,))
        if compare(start, "==", stop) is True:
            raise ShapeError(f"the range {start} to {stop} of axis {self.axis} of {x} is empty", (0,))
        # A slice of the whole axis keeps the factors of the axis.
        whole = start == 0 and stop == size
        return (x.with_axes(*x.axes[:place], x.axes[place] if whole else stop - start, *x.axes[place + 1 :]),)

    def _ends(self, size: Dim) -> tuple[Dim, Dim]:
        """The start and the stop, counted from the start of an axis of this size."""
        return _from_end(self.start, size), size if self.stop is None else _from_end(self.stop, size)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The position shifted by `start`."""
        x, y = inputs[0], outputs[0]
        place = self.axis % x.rank
        start, _ = self._ends(x.shape[place])
        found = list(same_positions(y, x, [(k, k) for k in range(x.rank) if k != place]))
        if y.axes[place] == x.axes[place]:
            found += same_positions(y, x, [(place, place)])
        else:
            found += flat_shifted(numbered(y, place), numbered(x, place), -start)
        return ((Relation((atom_of(found),)),),)

    @property
    def _stop(self) -> tuple[Dim, ...]:
        """The stop, if there is one."""
        return () if self.stop is None else (self.stop,)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any other axis, or in terms; by its own where all of it is taken."""
        x, place = inputs[0], self.axis % inputs[0].rank
        is_whole = self.start == 0 and self.stop is None
        kept = [k for k in free(x, self.start, *self._stop) if is_whole or k != place]
        return (*along([same(*kept)]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand: still positions may be cut off, and of what moves a part is left."""
        (x,) = operands
        place = self.axis % inputs[0].rank
        if not isinstance(x, Moves) or x.axis != place:
            return (together(operands, [same(*range(inputs[0].rank))], copies=True),)
        size = inputs[0].shape[place]
        start, stop = self._ends(size)
        if compare(stop, "<=", x.front) is True or compare(start, ">=", size - x.back) is True:
            return (Still(),)
        if compare(start, "<=", x.front) is True and compare(stop, ">=", size - x.back) is True:
            return (replace(x, front=x.front - start, back=x.back - (size - stop)),)
        return (shifted_along(x, start, outputs[0].shape[place], ends=(start == 0, stop == size)),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A slice."""
        x = inputs[0]
        stop = None if self.stop is None else self.stop.value(sizes)
        where = [slice(None)] * x.ndim
        where[self.axis] = slice(self.start.value(sizes), stop)
        return (x[tuple(where)],)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x[:, 1:]`."""
        start = "" if self.start == 0 else e.size(self.start)
        stop = "" if self.stop is None else e.size(self.stop)
        return (f"{operand(inputs[0])}{index(self.axis, f'{start}:{stop}')}",)


def _from_end(position: Dim, size: Dim) -> Dim:
    """A position counted from the start of the axis; only a negative constant counts from the end."""
    constant = position.constant
    return size + position if constant is not None and constant < 0 else position
