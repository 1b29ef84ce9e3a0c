"""The block `squeeze_excite`."""

from typing import ClassVar

from pydantic import Field

from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import channels_of, convolution, feature_map
from archspec.blocks.parts.numbers import fixed
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.ir.types import axis
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.split import Split
from archspec.schema.sorts import SizeField, ValueField


class SqueezeExciteBlock(Block):
    """`x * sigmoid(up(act(down(mean of x over space))))`, a factor for each channel (Hu et al. 2017, arXiv 1709.01507).

    Parameters: `down.weight` [channels / reduction, channels, 1...], `up.weight`, and their biases.
    """

    block: ClassVar[str] = "squeeze_excite"
    makes_map = True

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    reduction: SizeField = Field(description="factor by which channels are reduced inside; it must divide them")
    activation: ActField = Field(default="relu", description="the activation inside")

    def build(self, cx: Context) -> Built:
        """Build the factors and the product as a module.

        Raises SpecError E342 unless the input is a map, E340 if `reduction` does not divide its channels.
        """
        x = feature_map(cx, self.input, "squeeze_excite")
        channels = channels_of(x, self.input.span)
        reduction = fixed(cx, self.reduction, "reduction")
        if channels % reduction:
            fail("E340", f"`reduction: {reduction}` does not divide {channels} channels", self.reduction.span)
        space = x.type.rank - 2
        # Without padding there is no op in front of the convolution, so each call gives exactly one.
        (down,) = convolution(space, channels // reduction, 1)
        (up,) = convolution(space, channels, 1)
        b = cx.builder

        def body(x: Value) -> Value:
            y = b.add(Reduce(kind="mean", axes=tuple(range(2, x.type.rank))), x)
            # The mean has no spatial axes; axes of size 1 make it a map again, for convolutions of 1x1.
            y = b.add(Split(axis=1, sizes=(axis(channels), *(axis(1) for _ in range(space)))), y)
            y = b.add(down, y, name="down", result="y")
            if self.activation is not None:
                y = b.add(Activation(kind=self.activation), y, result="y")
            y = b.add(up, y, name="up", result="y")
            return b.add(Binary(kind="multiply"), x, b.add(Activation(kind="sigmoid"), y))

        (y,) = cx.module("SqueezeExcite", body, {"x": x})
        return Built(main=y)
