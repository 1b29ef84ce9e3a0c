"""The block `argmax`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ops.reduction.argmax import Argmax as ArgmaxOp
from archspec.schema.sorts import ValueField
from archspec.schema.words import AxisField


class ArgmaxBlock(Block):
    """The index of the largest element along one axis, which is removed: int64, below the size of the axis."""

    block: ClassVar[str] = "argmax"

    input: ValueField = Field(description="float[...] or integers")
    axis: AxisField = Field(description="the axis")

    def build(self, cx: Context) -> Built:
        """Build the op. Raises SpecError E350 for an axis that the input does not have."""
        x = cx.value(self.input)
        return Built(main=cx.leaf(ArgmaxOp(axis=resolve_axis(cx, self.axis, x)), x))
