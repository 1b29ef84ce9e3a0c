"""The block `learned`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ir.types import axis
from archspec.ops.linear.learned import Learned as LearnedOp
from archspec.schema.sorts import SizeField


class LearnedBlock(Block):
    """A learned tensor. Axes whose size is only known at run time are stored with size 1 and repeated.

    Parameters: `value`.
    """

    block: ClassVar[str] = "learned"
    feeds: ClassVar[str | None] = None

    shape: list[SizeField] = Field(description="sizes of the axes; none for a single number")

    def build(self, cx: Context) -> Built:
        """Build the tensor; it takes device and precision from another value of the graph."""
        axes = tuple(axis(cx.size(expr)) for expr in self.shape)
        op = LearnedOp(axes=axes, static=tuple(one.size.is_constant for one in axes))
        return Built(main=cx.leaf(op, cx.anchor()))
