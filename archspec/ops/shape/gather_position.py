"""The vector at a position that is given by data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import aligned
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads
from archspec.ir.operands import FLOAT, INTEGER, require, within_bound
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.signature import bind
from archspec.ir.source import named
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class GatherPosition(Primitive):
    """`y[b] = x[b, index[b]]`. A bound on the index must not exceed the number of positions."""

    name = "gather_position"
    signature = "b s d, b -> b d"
    reads_more = "the position that is read depends on the data"

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of `x` without the positions. Raises ShapeError if the index may exceed them."""
        require(inputs, FLOAT, INTEGER)
        bound = bind(self.signature, inputs)
        within_bound(inputs[1], bound.size("s"), "an axis", operand=1)
        return (inputs[0].with_axes(bound["b"], bound["d"]),)

    def indexes(self, inputs: Sequence[TensorType]) -> Mapping[int, Dim]:
        """The index selects among the positions of `x`."""
        return {1: bind(self.signature, inputs).size("s")}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """All positions of the same row, and the index of the row."""
        x, index = inputs
        return ((aligned(outputs[0], x, [(0, 0), (1, 2)]), aligned(outputs[0], index, [(0, 0)])),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The index chooses."""
        return frozenset((1,)), frozenset((0, 1))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows or features, or in terms."""
        return (*along([{0: 0, 2: 1}, {0: 0}]), terms(Partial(), Copied()))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Row by row."""
        import numpy as np

        return (np.stack([row[position] for row, position in zip(*inputs, strict=True)]),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x[torch.arange(len(x)), index]`."""
        x = named(e, "x", inputs[0])
        return (f"{x}[torch.arange({x}.shape[0], device={x}.device), {inputs[1]}]",)
