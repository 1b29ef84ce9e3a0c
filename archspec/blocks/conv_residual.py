"""The block `conv_residual`."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from archspec.blocks.activation import Act, ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import channels_of, convolution, feature_map
from archspec.blocks.parts.norm import add_channel_norm, channel_norm_of
from archspec.blocks.parts.norm_fields import DefaultNorm, NormField
from archspec.blocks.parts.numbers import fixed
from archspec.diagnostics import fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.record import record
from archspec.schema.sorts import SizeField, ValueField


class ConvResidualBlock(Block):
    """Residual layers of convolutions, each followed by a norm: `act(shortcut(x) + f(x))` (arXiv 1512.03385).

    basic: two of 3x3; bottleneck: 1x1 to channels / reduction, 3x3, 1x1. The stride of the first layer is on its
    (first) 3x3; where the shape changes, the shortcut is a convolution of 1x1 with a norm.
    Parameters: `layers.N.{conv1, norm1, conv2, norm2, conv3, norm3, shortcut, shortcut_norm}`; convolutions have a
    bias only where there is no norm.
    """

    block: ClassVar[str] = "conv_residual"
    makes_map = True

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    kind: Literal["basic", "bottleneck"] = Field(description="basic: two 3x3; bottleneck: 1x1, 3x3, 1x1")
    channels: SizeField = Field(description="channels of the result")
    layers: SizeField = Field(description="number of layers")
    stride: SizeField | None = Field(default=None, description="stride of the first layer; 1 when left out")
    reduction: SizeField | None = Field(
        default=None, description="factor by which a bottleneck reduces the channels; 4 when left out"
    )
    activation: ActField = Field(default="relu", description="the activation between convolutions and after the sum")
    norm: NormField = Field(default=None, description="a norm after each convolution; defaults.norm when left out")

    def build(self, cx: Context) -> Built:
        """Build the layers as a module.

        Raises SpecError E342 unless the input is a map, E243 if neither the block nor the file names a norm.
        """
        x = feature_map(cx, self.input, "conv_residual")
        width = channels_of(x, self.input.span)
        channels = fixed(cx, self.channels, "channels")
        # `norm: none` and a norm that is left out both read as None: only `given` tells them apart.
        norm = channel_norm_of(cx, self.norm if "norm" in self.given else DefaultNorm(at=self.at))
        count = fixed(cx, self.layers, "layers")
        # Refuses too many layers before anything is made for each of them.
        cx.in_layers(count, self.layers.span)
        strides = [1] * count
        strides[0] = 1 if self.stride is None else fixed(cx, self.stride, "stride")
        # A norm that subtracts the mean cancels a bias in front of it, hence none there, as in torchvision.
        layers = [
            _Layer(
                convolutions=self._convolutions(cx, x.type.rank - 2, channels, stride, norm is None),
                shortcut=number == 0 and (stride != 1 or width != channels),
                norm=norm,
                activation=self.activation,
            )
            for number, stride in enumerate(strides)
        ]

        def body(x: Value) -> Value:
            # Called one by one, not as a `repeat`: the first layer may differ in its types and in its parameters.
            for number, layer in enumerate(layers):
                x = layer.call(cx.builder, f"layers.{number}", self.kind.title(), x)
            return x

        (y,) = cx.module("ConvResidual", body, {"x": x})
        return Built(main=y)

    def _convolutions(self, cx: Context, space: int, channels: int, stride: int, bias: bool) -> list[Op]:
        """The convolutions of a layer in order, followed by that of its shortcut. Raises SpecError E340."""
        # Made for every layer and used where the shape changes: an op that no node holds has no parameters.
        (shortcut,) = convolution(space, channels, 1, stride=stride, bias=bias)
        if self.kind == "basic":
            (one,) = convolution(space, channels, 3, stride=stride, padding=1, bias=bias)
            (two,) = convolution(space, channels, 3, padding=1, bias=bias)
            return [one, two, shortcut]
        reduction = 4 if self.reduction is None else fixed(cx, self.reduction, "reduction")
        if self.reduction is not None and channels % reduction:
            fail("E340", f"`reduction: {reduction}` does not divide {channels} channels", self.reduction.span)
        inner = channels // reduction
        (down,) = convolution(space, inner, 1, bias=bias)
        # A 1x1 with a stride, as in the paper, skips positions: torchvision moved it to the 3x3, and so do we.
        (middle,) = convolution(space, inner, 3, stride=stride, padding=1, bias=bias)
        (up,) = convolution(space, channels, 1, bias=bias)
        return [down, middle, up, shortcut]


@record
class _Layer:
    """One residual layer; the last convolution is that of the shortcut, used if `shortcut` is true."""

    convolutions: Sequence[Op]
    shortcut: bool
    norm: Op | None
    activation: Act | None

    def call(self, b: Builder, name: str, kind: str, x: Value) -> Value:
        """Add the layer as a module over a map [batch, channels, space...]."""
        (y,) = b.call(name, kind, lambda x: self._body(b, x), {"x": x}, results=("x",))
        return y

    def _body(self, b: Builder, x: Value) -> Value:
        """The body of a layer: convolutions with norms, the sum with the shortcut, and the last activation."""
        y = x
        *inside, last = self.convolutions[:-1]
        for number, op in enumerate(inside, 1):
            y = self._normed(b, b.add(op, y, name=f"conv{number}", result="y"), f"norm{number}", "y")
            y = self._activated(b, y)
        # The last convolution has no activation: it follows after the sum.
        number = len(self.convolutions) - 1
        y = self._normed(b, b.add(last, y, name=f"conv{number}", result="y"), f"norm{number}", "y")
        if self.shortcut:
            x = b.add(self.convolutions[-1], x, name="shortcut", result="x")
            x = self._normed(b, x, "shortcut_norm", "x")
        return self._activated(b, b.add(Binary(kind="add"), x, y))

    def _normed(self, b: Builder, x: Value, name: str, result: str) -> Value:
        return x if self.norm is None else add_channel_norm(b, self.norm, x, name, result)

    def _activated(self, b: Builder, x: Value) -> Value:
        return x if self.activation is None else b.add(Activation(kind=self.activation), x, result="y")
