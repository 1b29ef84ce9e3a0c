"""The block `matmul`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.values import floats
from archspec.ops.linear.matmul import Matmul as MatmulOp
from archspec.schema.sorts import BoolField, ValueField


class MatmulBlock(Block):
    """The product of matrices, the last two axes of each value; leading axes broadcast."""

    block: ClassVar[str] = "matmul"
    feeds: ClassVar[str | None] = None

    left: ValueField = Field(description="float[..., rows, inner]")
    right: ValueField = Field(description="float[..., inner, columns]")
    transpose_right: BoolField = Field(default=False, description="whether `right` is [..., columns, inner]")

    def build(self, cx: Context) -> Built:
        """Build the product. Raises SpecError E342 unless both operands are floats."""
        left, right = (floats(cx, expr, "matmul") for expr in (self.left, self.right))
        return Built(main=cx.leaf(MatmulOp(transpose_right=self.transpose_right), left, right))
