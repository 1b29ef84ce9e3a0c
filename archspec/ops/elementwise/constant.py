"""A tensor of one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.scalar import Scalar
from archspec.ir.motion import Motion, Still
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.placement import Sharding
from archspec.ir.sharded import beside, free, unread
from archspec.ir.source import call, operand
from archspec.ir.types import Axis, DType, TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Constant(Primitive):
    """A tensor filled with one number, or with true or false. The operand only provides device and precision."""

    name = "constant"
    signature = "... -> ..."
    anywhere = True
    unread = True
    sized = frozenset({"axes"})
    acts = "nonlinear"

    axes: tuple[Axis, ...]
    number: Scalar | bool

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """A float or bool with the axes of the constant."""
        return (TensorType(DType.BOOL if isinstance(self.number, bool) else DType.FLOAT, self.axes),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Nothing."""
        return ((NOTHING,) * len(inputs),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """Whole: of the operand only sizes are used."""
        axes = free(
            inputs[0], *(axis.size for axis in self.axes), *(() if isinstance(self.number, bool) else (self.number,))
        )
        return tuple(beside([unread(inputs[0], axes)], ()))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: all its entries are equal."""
        return (Still(level=frozenset(range(len(self.axes)))),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The number."""
        import numpy as np

        shape = [axis.size.value(sizes) for axis in self.axes]
        if isinstance(self.number, bool):
            return (np.full(shape, self.number),)
        return (np.full(shape, self.number.evaluate(sizes), dtype=np.float64),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x.new_full((2, 3), 0.5)`."""
        sizes = [e.size(axis.size) for axis in self.axes]
        shape = f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
        # `new_full` takes the dtype of its tensor, which is not always that of the constant.
        if isinstance(self.number, bool):
            dtype = None if e.types[0].dtype is DType.BOOL else "torch.bool"
            return (call(f"{operand(inputs[0])}.new_full", shape, str(self.number), dtype=dtype),)
        dtype = None if e.types[0].dtype is DType.FLOAT else "torch.get_default_dtype()"
        return (call(f"{operand(inputs[0])}.new_full", shape, e.number(self.number), dtype=dtype),)
