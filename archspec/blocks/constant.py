"""The block `constant`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ir.types import axis
from archspec.ops.elementwise.constant import Constant as ConstantOp
from archspec.schema.sorts import ExprField, SizeField


class ConstantBlock(Block):
    """A tensor of floats, every element one number."""

    block: ClassVar[str] = "constant"
    feeds: ClassVar[str | None] = None

    shape: list[SizeField] = Field(description="sizes of the axes", min_length=1)
    value: ExprField = Field(description="the number")

    def build(self, cx: Context) -> Built:
        """Build the tensor."""
        axes = tuple(axis(cx.size(expr)) for expr in self.shape)
        return Built(main=cx.leaf(ConstantOp(axes=axes, number=cx.number(self.value)), cx.anchor()))
