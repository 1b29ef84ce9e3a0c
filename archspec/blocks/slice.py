"""The block `slice`."""

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim
from archspec.blocks.parts.axis import resolve_axis
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import offset
from archspec.ops.shape.slice import Slice as SliceOp
from archspec.schema.model import MAYBE
from archspec.schema.sorts import ExprField, ValueField
from archspec.schema.words import AxisField


class SliceBlock(Block):
    """Positions `start` to `stop` of one axis, without `stop` itself; negative numbers count from the end."""

    block: ClassVar[str] = "slice"

    input: ValueField = Field(description="any value")
    axis: AxisField = Field(description="the axis")
    start: ExprField | None = Field(default=None, description="the first position; 0 when left out")
    stop: Annotated[ExprField | None, MAYBE] = Field(
        default=None, description="the end, excluded; none: the end of the axis"
    )

    def build(self, cx: Context) -> Built:
        """Build the slice. Raises SpecError E350 for a missing axis, E301 for an end that is not a whole number."""
        x = cx.value(self.input)
        start = Dim.of(0) if self.start is None else offset(cx, self.start, "start")
        stop = None if self.stop is None else offset(cx, self.stop, "stop")
        return Built(main=cx.leaf(SliceOp(axis=resolve_axis(cx, self.axis, x), start=start, stop=stop), x))
