"""The block `drop_path`."""

from typing import ClassVar

from pydantic import Field

from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import rate_of_layers
from archspec.blocks.parts.values import floats
from archspec.ops.elementwise.drop_path import DropPath
from archspec.schema.sorts import ExprField, ValueField


class DropPathBlock(Block):
    """In training, whole samples are zeroed with probability `rate` and the others divided by `1 - rate`."""

    block: ClassVar[str] = "drop_path"
    keeps_axes = True

    input: ValueField = Field(description="float[batch, ...]: a branch, before it is added")
    rate: ExprField = Field(description="probability that a sample is zeroed, below 1")

    def build(self, cx: Context) -> Built:
        """Build the drop. Raises SpecError E342 unless the input is floats, E244 or E341 for the rate."""
        x = floats(cx, self.input, "drop_path")
        return Built(main=cx.leaf(DropPath(rate=rate_of_layers(cx, self.rate) or Scalar.of(0)), x))
