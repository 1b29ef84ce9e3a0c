"""A learned tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.init import Init
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import beside, free, tables, unread
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Learned(Primitive):
    """A parameter. Axes that are not `static` are stored with size 1 and repeated.

    Parameters: `value`. The values of the operand are not read.
    """

    name = "learned"
    signature = "... -> ..."
    anywhere = True
    sized = frozenset({"axes"})
    acts = "nonlinear"

    axes: tuple[Axis, ...]
    static: tuple[bool, ...]
    init: Init | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """A float with the declared axes. Raises ShapeError if a stored size is only known at run time."""
        for axis, static in zip(self.axes, self.static, strict=True):
            if static and not axis.size.is_constant:
                raise ShapeError(f"a learned tensor needs fixed sizes, but {axis} is only known at run time")
        return (TensorType(DType.FLOAT, self.axes),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The value."""
        stored = (axis if static else Dim.of(1) for axis, static in zip(self.axes, self.static, strict=True))
        return {"value": ParameterSpec(type=TensorType.of(DType.FLOAT, *stored), init=self.init)}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing."""
        return ((NOTHING,) * len(inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By stored axes, or in terms; of the operand only sizes are used."""
        stored = (k for k, static in enumerate(self.static) if static)
        ways = tables("value", 0, *((Shard(k), Shard(k)) for k in stored), (Partial(), Partial()))
        repeated = (axis.size for axis, static in zip(self.axes, self.static, strict=True) if not static)
        return tuple(beside([unread(inputs[0], free(inputs[0], *repeated))], ways))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Learned:
        """With its part of the stored axes."""
        held = way.parameters.get("value")
        return replace(self, axes=tuple(part_of_axis(axis, held, k, ranks) for k, axis in enumerate(self.axes)))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: entries are equal along axes that are repeated."""
        return (Still(level=frozenset(k for k, static in enumerate(self.static) if not static)),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The value, repeated along the axes that are not stored."""
        import numpy as np

        shape = [axis.size.value(sizes) for axis in self.axes]
        return (np.broadcast_to(parameters["value"], shape),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`value.expand(x.shape[0], -1, -1)`, or the value itself if every axis is stored."""
        value = parameters["value"]
        if all(self.static):
            return (value,)
        pairs = zip(self.axes, self.static, strict=True)
        return (f"{value}.expand({', '.join('-1' if static else e.size(axis.size) for axis, static in pairs)})",)
