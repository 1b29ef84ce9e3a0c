"""The product of two matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import aligned, broadcast_axes
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import APART, broadcasting, gathered, joined, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, broadcast, require
from archspec.ir.placement import Copied, Partial, Shard, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.source import call, operand
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Matmul(Primitive):
    """`y[..., i, j] = sum over k of left[..., i, k] * right[..., k, j]`; leading axes broadcast.

    With `transpose_right` the right operand is read as `right[..., j, k]`.
    """

    name = "matmul"
    signature = "... i k, ... k j -> ... i j"
    anywhere = True

    transpose_right: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The leading axes, the rows of the left, the columns of the right. Raises ShapeError if axes do not agree."""
        require(inputs, FLOAT)
        left, right = inputs
        for number, found in enumerate(inputs):
            if found.rank < 2:
                raise ShapeError(f"needs at least 2 axes, got {found}", (number,))
        inner, outer = (-1, -2) if self.transpose_right else (-2, -1)
        if compare(left.shape[-1], "==", right.shape[inner]) is not True:
            raise ShapeError(f"inner sizes differ: {left.shape[-1]} in {left}, {right.shape[inner]} in {right}", (0, 1))
        leading = broadcast(*(x.with_axes(*x.axes[:-2]) for x in inputs)) if left.rank + right.rank > 4 else ()
        return (left.with_axes(*leading, left.axes[-2], right.axes[outer]),)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * outputs * k`."""
        return 2 * outputs[0].elements() * inputs[0].shape[-1]

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """A row of the left and a column of the right operand, at the same leading position."""
        y = outputs[0]
        read = []
        for x, own, place in zip(inputs, (-2, -2 if self.transpose_right else -1), (-2, -1), strict=True):
            leading = [pair for pair in broadcast_axes(y, x) if pair[1] < x.rank - 2]
            read.append(aligned(y, x, [*leading, (y.rank + place, x.rank + own)]))
        return (tuple(read),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows, columns or any leading axis; over what is summed, which leaves terms; in terms of either operand."""
        inner, column = (-1, -2) if self.transpose_right else (-2, -1)
        y, (left, right) = outputs[0], inputs
        leading = [{own: out for own, out in broadcasting(y, x).items() if own < x.rank - 2} for x in inputs]
        ends = ({left.rank - 2: y.rank - 2}, {right.rank + column: y.rank - 1})
        return (
            *along([one | end for one, end in zip(leading, ends, strict=True)]),
            terms(Shard(left.rank - 1), Shard(right.rank + inner)),
            terms(Partial(), Copied()),
            terms(Copied(), Partial()),
        )

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With rows of the left and columns of the right operand; what both sum over is taken in no order."""
        left, right = operands
        inner, column = (-1, -2) if self.transpose_right else (-2, -1)
        y = outputs[0]
        summed = [inputs[0].rank - 1, inputs[1].rank + inner]
        if isinstance(left, Moves) and isinstance(right, Moves) and [left.axis, right.axis] == summed:
            both = joined(left, replace(right, axis=left.axis)) if left.goes_with(right) else None
            return (lost(APART) if both is None else gathered(both),)
        rows = {own: out for own, out in broadcasting(y, inputs[0]).items() if own < inputs[0].rank - 2}
        columns = {own: out for own, out in broadcasting(y, inputs[1]).items() if own < inputs[1].rank - 2}
        ends = ({inputs[0].rank - 2: y.rank - 2}, {inputs[1].rank + column: y.rank - 1})
        return (together(operands, [rows | ends[0], columns | ends[1]]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Each is the matrix of the other."""
        return frozenset((1,)), frozenset((0,))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The product."""
        left, right = inputs
        return (left @ (right.swapaxes(-1, -2) if self.transpose_right else right),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`left @ right`."""
        left, right = (operand(source) for source in inputs)
        right = f"{right}.transpose(-2, -1)" if self.transpose_right else right
        if _is_stack(*e.types):
            return (call(e.helper(_STACK), inputs[0], right),)
        return (f"{left} @ {right}",)


def _is_stack(left: TensorType, right: TensorType) -> bool:
    """Whether one stack of matrices is read for every entry of another leading axis."""
    return (left.rank, right.rank) == (4, 3) and left.shape[1] == right.shape[0]


_STACK = '''
def stack_product(x: Tensor, stack: Tensor) -> Tensor:
    """Product of x [b, h, s, i] and a stack [h, i, j] of matrices, which `@` would copy for each of b."""
    rows = x.transpose(0, 1).flatten(1, 2) @ stack
    return rows.unflatten(1, x.shape[::2]).transpose(0, 1)
'''
