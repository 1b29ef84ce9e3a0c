"""The block `shift`."""

from typing import ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import offset
from archspec.blocks.parts.values import same_shape
from archspec.ir.graph import Value
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.shift import Shift as ShiftOp
from archspec.ops.shape.slice import Slice
from archspec.schema.sorts import ExprField, ValueField
from archspec.schema.words import AxisField
from archspec.text.value import ValueExpr


class ShiftBlock(Block):
    """`y[i] = x[i - by]` along one axis; a negative `by` moves to the front. `fill` is the value elsewhere."""

    block: ClassVar[str] = "shift"

    input: ValueField = Field(description="any value")
    axis: AxisField = Field(description="the axis")
    by: ExprField = Field(description="number of positions towards the end; negative: towards the front")
    fill: ValueField | None = Field(
        default=None, description="a number, or a value with the axes of `input` and |by| positions; 0 when left out"
    )

    def build(self, cx: Context) -> Built:
        """Build the shift. Raises SpecError E350 for a missing axis, E301 for a `by` that is not a whole number."""
        x = cx.value(self.input)
        axis, by = resolve_axis(cx, self.axis, x), offset(cx, self.by, "by")
        fill = Scalar.of(0) if self.fill is None else cx.value_or_number(self.fill)
        if isinstance(fill, Scalar):
            return Built(main=cx.leaf(ShiftOp(axis=axis, by=by, fill=fill), x))
        assert self.fill is not None
        return Built(main=self._filled(cx, x, axis, by, fill, self.fill))

    def _filled(self, cx: Context, x: Value, axis: int, by: Dim, fill: Value, expr: ValueExpr) -> Value:
        """The part of x that remains, joined with the positions of `fill`. Raises SpecError E347 for other axes."""
        backward = compare(by, "<", 0) is True
        shape = (*x.type.shape[:axis], -by if backward else by, *x.type.shape[axis + 1 :])
        same_shape(fill, shape, expr.span, "`fill`")
        size = x.type.shape[axis]
        start, stop = (-by, size) if backward else (Dim.of(0), size - by)
        kept = cx.builder.add(Slice(axis=axis, start=start, stop=stop), x)
        return cx.leaf(Concat(axis=axis), *((kept, fill) if backward else (fill, kept)))
