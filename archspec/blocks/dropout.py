"""The block `dropout`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import rate
from archspec.blocks.parts.values import floats
from archspec.ops.elementwise.dropout import Dropout as DropoutOp
from archspec.schema.sorts import ExprField, ValueField


class DropoutBlock(Block):
    """In training, each element is zeroed with probability `rate` and the rest are scaled up."""

    block: ClassVar[str] = "dropout"
    keeps_axes = True

    input: ValueField = Field(description="float[...]")
    rate: ExprField = Field(description="probability that an element is zeroed, below 1")

    def build(self, cx: Context) -> Built:
        """Build the dropout. Raises SpecError E342 unless the input is floats, E244 for a rate out of range."""
        x = floats(cx, self.input, "dropout")
        return Built(main=cx.leaf(DropoutOp(rate=rate(cx, self.rate)), x))
