"""The block `conv`."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import Field, WithJsonSchema

from archspec.algebra.dim import Dim
from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.maps import Ends, channels_of, convolution, feature_map, finished, same_ends
from archspec.blocks.parts.norm import channel_norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import fixed, whole
from archspec.blocks.parts.per_axis import PerAxisField, each_of, per_axis
from archspec.diagnostics import fail
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
    makes_map = True

    input: ValueField = Field(description="float[batch, channels, x], or float[batch, channels, y, x]")
    channels: SizeField = Field(description="channels of the result")
    kernel: PerAxisField = Field(description="size of the kernel along each spatial axis, or a list of their sizes")
    stride: PerAxisField | None = Field(
        default=None, description="stride of the kernel, or a list with that of each axis; 1 when left out"
    )
    padding: PaddingField | None = Field(
        default=None,
        description="zeros added at each end, 0 when left out; `same` keeps the size, or with a stride makes it "
        "`ceil(size / stride)`, an odd zero behind; `circular` adds values of the other end, as many as keep the size "
        "at stride 1; `causal` adds zeros in front, `(kernel - 1)*dilation`, so that no later position is "
        "read; or a list with the number of each axis",
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
        # Only for its error: the kernel has an axis for the input channels, so their number must be fixed.
        channels_of(x, self.input.span)
        ops = self._ops(cx, x.type.shape[2:])
        return Built(main=finished(cx, "Conv", ops, x, channel_norm_of(cx, self.norm), self.activation))

    def _ops(self, cx: Context, sizes: Sequence[Dim]) -> list[Op]:
        """The ops over spatial axes of some sizes, the convolution last.

        Raises SpecError E242 for a padding that does not go with the stride or the axes, E341 for sizes that are not
        fixed.
        """
        space = len(sizes)
        stride, dilation = (
            1 if value is None else per_axis(cx, value, space, fixed, name)
            for name, value in (("stride", self.stride), ("dilation", self.dilation))
        )
        kernel = per_axis(cx, self.kernel, space, fixed, "kernel")
        return [
            *convolution(
                space,
                fixed(cx, self.channels, "channels"),
                kernel,
                stride=stride,
                padding=self._around(cx, sizes, kernel, stride, dilation),
                dilation=dilation,
                groups=1 if self.groups is None else fixed(cx, self.groups, "groups"),
                bias=cx.defaults.bias if self.bias is None else self.bias,
            )
        ]

    def _around(
        self,
        cx: Context,
        sizes: Sequence[Dim],
        kernel: tuple[int, ...],
        stride: int | tuple[int, ...],
        dilation: int | tuple[int, ...],
    ) -> int | tuple[int, ...] | Ends | str:
        """The padding of axes of some sizes.

        Raises SpecError E242 for `causal` with a stride above 1 or over two axes, and for `same` with a stride where
        the zeros would depend on the size at run time.
        """
        padding = self.padding
        if padding is None or isinstance(padding, (Expr, list)):
            return 0 if padding is None else per_axis(cx, padding, len(sizes), whole, "padding")
        if padding == "same":
            ends = same_ends(sizes, kernel, stride, dilation)
            if ends is None:
                shown = " x ".join(map(str, sizes))
                self._refuse_stride(
                    f"with this stride: the number of zeros depends on the size, {shown}, known at run time only",
                )
            return ends
        # A stride that is left out is the number 1, never a tuple.
        if padding == "causal" and isinstance(stride, tuple) and max(stride) > 1:
            self._refuse_stride("keeps the size, but a stride above 1 does not")
        if padding == "causal" and len(sizes) > 1:
            fail("E242", "`padding: causal` needs one spatial axis, but the input has two", self.input.span)
        return padding

    def _refuse_stride(self, why: str) -> NoReturn:
        """Raise SpecError E242 at the stride."""
        # Only a stride above 1 leads here, and that is one that the user wrote.
        assert self.stride is not None
        place = self.stride[0].span if isinstance(self.stride, list) else self.stride.span
        fail("E242", f"`padding: {self.padding}` {why}", place)
