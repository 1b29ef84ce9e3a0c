"""The block `conv`."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema

from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import channels_of, convolution, feature_map, finished
from archspec.blocks.parts.norm import channel_norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import fixed, whole
from archspec.blocks.parts.per_axis import PerAxisField, each_of, per_axis
from archspec.ir.op import Op
from archspec.schema.plain import Plain
from archspec.schema.reading import Items
from archspec.schema.sorts import BoolField, SizeField, ValueField, text_of
from archspec.text.expr import Expr, parse_expr

_WORDS = ("same", "circular", "causal")
_NUMBER = {"type": ["integer", "string"]}


def _padding(node: Any) -> Expr | str | list[Expr]:
    """The word, the expression or the list of them. A constant called `same` cannot be used here."""
    if isinstance(node, Items):
        return each_of(node)
    text = text_of(node, "`same`, `circular`, `causal` or a number")
    return text.value if text.value in _WORDS else parse_expr(text)


PaddingField = Annotated[
    Expr | str | list[Expr],
    Plain(_padding),
    WithJsonSchema({"anyOf": [{"enum": [*_WORDS]}, _NUMBER, {"type": "array", "items": _NUMBER}]}),
]


class ConvBlock(Block):
    """A convolution, then a norm over its channels, then an activation; 1-D or 2-D, as the input is.

    Parameters: `weight` [channels, input channels / groups, kernel...], `bias` [channels], `norm`.
    """

    block: ClassVar[str] = "conv"

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    channels: SizeField = Field(description="channels of the result")
    kernel: PerAxisField = Field(description="size of the kernel along each spatial axis, or a list of their sizes")
    stride: PerAxisField | None = Field(
        default=None, description="stride of the kernel, or a list with that of each axis; 1 when left out"
    )
    padding: PaddingField | None = Field(
        default=None,
        description="zeros added at each end, 0 when left out; `same` keeps the size; `circular` takes as many "
        "positions of the other end instead, with any stride; `causal` adds zeros in front, `(kernel - 1)*dilation`, "
        "so that no later position is read; or a list with the number of each axis",
    )
    dilation: PerAxisField | None = Field(
        default=None,
        description="distance between positions of the kernel, or a list with that of each axis; 1 when left out",
    )
    groups: SizeField | None = Field(default=None, description="number of groups of channels; 1 when left out")
    bias: BoolField | None = Field(default=None, description="whether a bias is added; defaults.bias when left out")
    norm: NormField = Field(default=None, description="a norm over the channels")
    activation: ActField = Field(default=None, description="an activation of the result")

    def build(self, cx: Context) -> Built:
        """Build the convolution, its norm and its activation. Raises SpecError E342 unless the input is a map."""
        x = feature_map(cx, self.input, "conv")
        channels_of(cx, x, self.input.span)
        ops = self._ops(cx, x.type.rank - 2)
        return Built(main=finished(cx, "Conv", ops, x, channel_norm_of(cx, self.norm), self.activation))

    def _ops(self, cx: Context, space: int) -> list[Op]:
        """The ops over `space` spatial axes, the convolution last.

        Raises SpecError E242 for `same` and `causal` with a stride above 1, and for `causal` over two axes, E341 for
        sizes that are not fixed.
        """
        stride, dilation = (
            1 if value is None else per_axis(cx, value, space, fixed, name)
            for name, value in (("stride", self.stride), ("dilation", self.dilation))
        )
        padding = self.padding
        if padding in ("same", "causal") and isinstance(stride, tuple) and max(stride) > 1:
            assert self.stride is not None
            place = self.stride[0].span if isinstance(self.stride, list) else self.stride.span
            cx.fail("E242", f"`padding: {padding}` keeps the size, but a stride above 1 does not", place)
        if padding == "causal" and space > 1:
            cx.fail("E242", "`padding: causal` needs one spatial axis, but the input has two", self.input.span)
        around = per_axis(cx, padding, space, whole, "padding") if isinstance(padding, (Expr, list)) else padding or 0
        return [
            *convolution(
                space,
                fixed(cx, self.channels, "channels"),
                per_axis(cx, self.kernel, space, fixed, "kernel"),
                stride=stride,
                padding=around,
                dilation=dilation,
                groups=1 if self.groups is None else fixed(cx, self.groups, "groups"),
                bias=cx.defaults.bias if self.bias is None else self.bias,
            )
        ]
