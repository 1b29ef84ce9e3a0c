"""Common parts of blocks on feature maps [batch, channels, space...], with one or two spatial axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.blocks.activation import Act
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.norm import add_channel_norm
from archspec.diagnostics import Span
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import DType
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.convolution.pad import Pad
from archspec.ops.elementwise.activation import Activation
from archspec.text.value import ValueExpr


def feature_map(cx: Context, expr: ValueExpr, block: str) -> Value:
    """The value of an expression, checked to be float[batch, channels, space...] with one or two spatial axes.

    `block` names the block in messages. Raises SpecError E342 for another value.
    """
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank not in (3, 4):
        cx.fail(
            "E342", f"{block} takes float[batch, channels, space...] of 1 or 2 dimensions, got {value.type}", expr.span
        )
    return value


def channels_of(cx: Context, x: Value, span: Span | None) -> int:
    """The number of channels of a map, which determines the shape of a parameter.

    Raises SpecError E341 if it is only known at run time.
    """
    channels = x.type.shape[1].constant
    if channels is None:
        cx.fail("E341", f"the channels of {x.type} are only known at run time", span, help="give them a fixed size")
    return channels


def convolution(
    space: int,
    channels: int,
    kernel: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    bias: bool = True,
) -> Iterator[Op]:
    """The ops of a convolution over `space` axes; a single number is that of every axis.

    `padding` is a number of positions at both ends, `same`, `circular` or `causal`. Circular padding, and `same`
    padding with more positions at one end, need a separate op in front, because a convolution pads both ends equally
    with zeros.
    """
    kernels, dilations = each(kernel, space), each(dilation, space)
    # The numbers of positions that the kernel covers in addition to its first one.
    around = tuple(step * (size - 1) for size, step in zip(kernels, dilations, strict=True))
    half = tuple(reach // 2 for reach in around)
    if padding == "circular" or (padding == "same" and any(reach % 2 for reach in around)):
        after = tuple(reach - reach // 2 for reach in around)
        if any(around):
            yield Pad(before=half, after=after, circular=padding == "circular")
        padding = 0
    elif padding == "same":
        padding = half
    yield Convolution(
        channels=Dim.of(channels),
        kernel=kernels,
        stride=each(stride, space),
        padding=each(0 if isinstance(padding, str) else padding, space),
        dilation=dilations,
        groups=groups,
        bias=bias,
        causal=padding == "causal",
    )


def finished(cx: Context, kind: str, ops: Sequence[Op], x: Value, norm: Op | None, activation: Act | None) -> Value:
    """`x` after padding, a convolution (the last of `ops`), a norm and an activation.

    `kind` names the module that holds them; without a norm there is one op with parameters, which needs none.
    """
    *pads, last = ops

    def padded(x: Value) -> Value:
        for pad in pads:
            x = cx.builder.add(pad, x)
        return x

    def activated(y: Value) -> Value:
        return y if activation is None else cx.builder.add(Activation(kind=activation), y)

    def body(x: Value) -> Value:
        assert norm is not None
        x = cx.builder.add(last, padded(x), result="x")
        return activated(add_channel_norm(cx.builder, norm, x, "norm", "x"))

    if norm is None:
        return activated(cx.leaf(last, padded(x)))
    (y,) = cx.module(kind, body, {"x": x})
    return y


def each(number: int | tuple[int, ...], space: int) -> tuple[int, ...]:
    """The number of each of `space` axes."""
    return (number,) * space if isinstance(number, int) else number
