"""The block `conv_transpose`."""

from typing import ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim
from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import channels_of, feature_map, finished
from archspec.blocks.parts.norm import channel_norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import fixed, whole
from archspec.blocks.parts.per_axis import PerAxisField, PerAxisNumber, per_axis
from archspec.ir.op import Op
from archspec.ops.convolution.conv_transpose import ConvTranspose
from archspec.schema.sorts import BoolField, SizeField, ValueField


class ConvTransposeBlock(Block):
    """A transposed convolution, which enlarges a map, then a norm over its channels, then an activation.

    An axis of n positions gets `(n - 1)*stride - 2*padding + kernel + output_padding`.

    Parameters: `weight` [input channels, channels / groups, kernel...], `bias` [channels], `norm`.
    """

    block: ClassVar[str] = "conv_transpose"
    makes_map = True

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    channels: SizeField = Field(description="channels of the result")
    kernel: PerAxisField = Field(description="size of the kernel along each spatial axis, or a list of their sizes")
    stride: PerAxisField | None = Field(
        default=None, description="positions of the result from an input to the next, or a list; 1 when left out"
    )
    padding: PerAxisNumber | None = Field(
        default=None, description="positions cut off at each end of the result, or a list; 0 when left out"
    )
    output_padding: PerAxisNumber | None = Field(
        default=None, description="positions added at the end of the result, or a list; 0 when left out"
    )
    groups: SizeField | None = Field(default=None, description="number of groups of channels; 1 when left out")
    bias: BoolField | None = Field(default=None, description="whether a bias is added; defaults.bias when left out")
    norm: NormField = Field(default=None, description="a norm over the channels")
    activation: ActField = Field(default=None, description="an activation of the result")

    def build(self, cx: Context) -> Built:
        """Build the convolution, its norm and its activation. Raises SpecError E342 unless the input is a map."""
        x = feature_map(cx, self.input, "conv_transpose")
        # Only for its error: the kernel has an axis for the input channels, so their number must be fixed.
        channels_of(x, self.input.span)
        op = self._op(cx, x.type.rank - 2)
        return Built(main=finished(cx, "ConvTranspose", [op], x, channel_norm_of(cx, self.norm), self.activation))

    def _op(self, cx: Context, space: int) -> Op:
        """The convolution over `space` axes. Raises SpecError E341 for sizes that are not fixed."""
        return ConvTranspose(
            channels=Dim.of(fixed(cx, self.channels, "channels")),
            kernel=per_axis(cx, self.kernel, space, fixed, "kernel"),
            stride=(1,) * space if self.stride is None else per_axis(cx, self.stride, space, fixed, "stride"),
            padding=(0,) * space if self.padding is None else per_axis(cx, self.padding, space, whole, "padding"),
            more=(0,) * space
            if self.output_padding is None
            else per_axis(cx, self.output_padding, space, whole, "output_padding"),
            groups=1 if self.groups is None else fixed(cx, self.groups, "groups"),
            bias=cx.defaults.bias if self.bias is None else self.bias,
        )
