"""The block `linear`."""

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.numbers import features, fixed
from archspec.blocks.parts.tie import tied_weight
from archspec.blocks.parts.values import floats
from archspec.ir.graph import Parameter
from archspec.ir.types import axis
from archspec.ops.elementwise.activation import Activation
from archspec.ops.linear.linear import Linear as LinearOp
from archspec.schema.model import MAYBE
from archspec.schema.sorts import BoolField, PathField, SizeField, ValueField


class LinearBlock(Block):
    """`act(x W^T + b)` over the last axis.

    Parameters: `weight` [dim, features], `bias` [dim].
    """

    block: ClassVar[str] = "linear"
    makes_sequence = True

    input: ValueField = Field(description="float[..., features]")
    dim: SizeField = Field(description="number of features of the result")
    bias: BoolField | None = Field(default=None, description="whether a bias is added; defaults.bias when left out")
    activation: ActField = Field(default=None, description="an activation applied to the result")
    tie: Annotated[PathField | None, MAYBE] = Field(
        default=None, description="the parameter that is used as the weight, such as `source.table`"
    )

    def build(self, cx: Context) -> Built:
        """Build the map, and the activation if there is one.

        Raises SpecError E342 unless the input is floats, E341 for a size only known at run time, E346 for a tied weight
        of another shape.
        """
        x = floats(cx, self.input, "linear")
        width = features(x, self.input.span)
        dim = fixed(cx, self.dim, "dim")
        tie: dict[str, Parameter] = {}
        if self.tie is not None:
            _, tie = tied_weight(cx, self.tie, dim, self.dim.span, width, self.input.span)
        bias = cx.defaults.bias if self.bias is None else self.bias
        y = cx.leaf(LinearOp(out=axis(dim), bias=bias), x, tie=tie)
        if self.activation is not None:
            y = cx.builder.add(Activation(kind=self.activation), y)
        return Built(main=y)
