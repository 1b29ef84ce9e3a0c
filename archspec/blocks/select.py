"""The block `select`."""

from typing import ClassVar

from pydantic import Field

from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.ops.elementwise.select import Select
from archspec.schema.sorts import PredField, ValueField


class SelectBlock(Block):
    """`input` where a predicate over its first axes holds, another value or a number elsewhere."""

    block: ClassVar[str] = "select"

    input: ValueField = Field(description="any value")
    where: PredField = Field(description="predicate over the first axes of `input`: where `input` is kept")
    otherwise: ValueField | None = Field(
        default=None, description="value elsewhere: a number, or a value that is broadcast; 0 when left out"
    )

    def build(self, cx: Context) -> Built:
        """Build the choice. Raises SpecError E305 if the condition is not over the first axes of the input."""
        x, where = cx.value(self.input), cx.predicate(self.where)
        other = Scalar.of(0) if self.otherwise is None else cx.value_or_number(self.otherwise)
        if isinstance(other, Scalar):
            return Built(main=cx.leaf(Select(number=other), where, x))
        return Built(main=cx.leaf(Select(number=None), where, x, other))
