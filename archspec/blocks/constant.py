"""The block `constant`."""

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ir.types import axis
from archspec.ops.elementwise.constant import Constant as ConstantOp
from archspec.schema.sorts import SizeField, sort
from archspec.text.expr import Expr, parse_expr
from archspec.text.nodes import TextNode


def _number_or_bool(node: TextNode) -> Expr | bool:
    """The bool or the expression that a text gives; `true` and `false` are reserved, so no constant has these names."""
    return node.value == "true" if node.value in ("true", "false") else parse_expr(node)


ConstantField = Annotated[Expr | bool, *sort(_number_or_bool, "a number, or `true` or `false`")]


class ConstantBlock(Block):
    """A tensor whose elements all have one value: a number (float), or `true` or `false` (bool)."""

    block: ClassVar[str] = "constant"
    feeds: ClassVar[str | None] = None

    shape: list[SizeField] = Field(description="sizes of the axes", min_length=1)
    value: ConstantField = Field(description="the number, or `true` or `false`")

    def build(self, cx: Context) -> Built:
        """Build the tensor; it takes device and precision from another value of the graph."""
        axes = tuple(axis(cx.size(expr)) for expr in self.shape)
        number = self.value if isinstance(self.value, bool) else cx.number(self.value)
        return Built(main=cx.leaf(ConstantOp(axes=axes, number=number), cx.anchor()))
