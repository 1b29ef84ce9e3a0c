"""Mean, maximum or sum over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Moves
from archspec.ir.moving import gathered, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, axis_number, require
from archspec.ir.placement import Shard, Sharding
from archspec.ir.sharded import along, summed, terms
from archspec.ir.source import operand
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


Kind = Literal["mean", "max", "sum"]


@record
class Reduce(Primitive):
    """Mean, maximum or sum over axes, which are removed."""

    name = "reduce"
    signature = "... -> ..."
    anywhere = True

    kind: Kind
    axes: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand without the axes. Raises ShapeError if an axis is missing or named twice."""
        require(inputs, FLOAT)
        x = inputs[0]
        reduced = [axis_number(x, axis) for axis in self.axes]
        if len(set(reduced)) != len(reduced):
            raise ShapeError(f"an axis of {x} is reduced twice: {list(self.axes)}", (0,))
        return (x.with_axes(*(axis for k, axis in enumerate(x.axes) if k not in reduced)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of the axes that remain, and the whole of the others."""
        x = inputs[0]
        reduced = {axis % x.rank for axis in self.axes}
        stay = [k for k in range(x.rank) if k not in reduced]
        return ((aligned(outputs[0], x, enumerate(stay)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By axes that remain; over the axes of a sum, which leaves terms; in terms, but for a maximum."""
        rank = inputs[0].rank
        reduced = {axis % rank for axis in self.axes}
        stay = [k for k in range(rank) if k not in reduced]
        over = [terms(Shard(axis)) for axis in sorted(reduced)] if self.kind == "sum" else []
        linear = () if self.selects else summed(inputs)
        return (*along([{own: out for out, own in enumerate(stay)}]), *over, *linear)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand along axes that remain; all positions of a reduced axis are taken in no order."""
        (x,) = operands
        reduced = {axis % inputs[0].rank for axis in self.axes}
        if isinstance(x, Moves) and x.axis in reduced:
            return (gathered(x),)
        stay = [k for k in range(inputs[0].rank) if k not in reduced]
        return (together(operands, [{own: out for out, own in enumerate(stay)}]),)

    @property
    def selects(self) -> bool:
        """Whether it is the maximum."""
        return self.kind == "max"

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Affine, but for the maximum."""
        return (frozenset((0,)) if self.selects else frozenset(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The reduction."""
        import numpy as np

        by_kind: dict[Kind, Callable[..., Array]] = {"mean": np.mean, "max": np.max, "sum": np.sum}
        return (by_kind[self.kind](inputs[0], axis=self.axes),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.mean(1)`, `x.amax((2, 3))`."""
        # `max` along an axis would return indices too, and takes only one axis.
        method = "amax" if self.kind == "max" else self.kind
        axes = str(self.axes[0]) if len(self.axes) == 1 else str(self.axes)
        return (f"{operand(inputs[0])}.{method}({axes})",)
