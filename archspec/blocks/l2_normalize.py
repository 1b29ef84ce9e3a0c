"""The block `l2_normalize`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import positive
from archspec.blocks.parts.values import floats
from archspec.ops.norm.l2_normalize import L2Normalize as L2NormalizeOp
from archspec.schema.sorts import ExprField, ValueField
from archspec.schema.words import AxisField


class L2NormalizeBlock(Block):
    """`x / max(|x|, eps)` along one axis, where |x| is the Euclidean norm."""

    block: ClassVar[str] = "l2_normalize"

    input: ValueField = Field(description="float[...]")
    axis: AxisField | None = Field(default=None, description="the axis; the last when left out")
    eps: ExprField | None = Field(default=None, description="smallest divisor; 1e-12 when left out")

    def build(self, cx: Context) -> Built:
        """Build the normalisation. Raises SpecError E342 unless the input is floats, E350 for a missing axis."""
        x = floats(cx, self.input, "l2_normalize")
        axis = resolve_axis(cx, self.axis, x)
        eps = 1e-12 if self.eps is None else positive(cx, self.eps, "eps")
        return Built(main=cx.leaf(L2NormalizeOp(axis=axis - x.type.rank, eps=eps), x))
