"""The block `roll`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import offset
from archspec.ops.shape.roll import Roll
from archspec.schema.sorts import ExprField, ValueField
from archspec.schema.words import AxisField


class RollBlock(Block):
    """`y[i] = x[i - by]` along one axis, cyclic: what leaves at one end comes back at the other."""

    block: ClassVar[str] = "roll"

    input: ValueField = Field(description="any value")
    axis: AxisField = Field(description="the axis")
    by: ExprField = Field(description="number of positions towards the end; negative: towards the front")

    def build(self, cx: Context) -> Built:
        """Build the shift. Raises SpecError E350 for a missing axis, E301 for a `by` that is not a whole number."""
        x = cx.value(self.input)
        return Built(main=cx.leaf(Roll(axis=resolve_axis(cx, self.axis, x), by=offset(cx, self.by, "by")), x))
