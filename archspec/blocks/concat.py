"""The block `concat`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ops.shape.concat import Concat as ConcatOp
from archspec.schema.sorts import ValueField
from archspec.schema.words import AxisField


class ConcatBlock(Block):
    """Join values of one dtype along an axis; all other axes must agree."""

    block: ClassVar[str] = "concat"
    feeds: ClassVar[str | None] = None

    inputs: list[ValueField] = Field(description="the values, in order", min_length=1)
    axis: AxisField = Field(description="the axis along which they are joined")

    def build(self, cx: Context) -> Built:
        """Build the concatenation. Raises SpecError E350 for an axis that the first input does not have."""
        values = [cx.value(expr) for expr in self.inputs]
        return Built(main=cx.leaf(ConcatOp(axis=resolve_axis(cx, self.axis, values[0])), *values))
