"""Common parts of blocks on feature maps [batch, channels, space...], with one or two spatial axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.algebra.dim import Dim, compare
from archspec.blocks.activation import Act
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.norm import add_channel_norm
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import DType
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.convolution.pad import Pad
from archspec.ops.elementwise.activation import Activation
from archspec.record import record
from archspec.text.value import ValueExpr


def feature_map(cx: Context, expr: ValueExpr, block: str) -> Value:
    """The value of an expression, checked to be float[batch, channels, space...] with one or two spatial axes.

    `block` names the block in messages. Raises SpecError E342 for another value.
    """
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank not in (3, 4):
        fail(
            "E342", f"{block} takes float[batch, channels, space...] of 1 or 2 dimensions, got {value.type}", expr.span
        )
    return value


def channels_of(x: Value, span: Span | None) -> int:
    """The number of channels of a map, which determines the shape of a parameter.

    Raises SpecError E341 if it is only known at run time.
    """
    channels = x.type.shape[1].constant
    if channels is None:
        fail("E341", f"the channels of {x.type} are only known at run time", span, help="give them a fixed size")
    return channels


@record(kw_only=False)
class Ends:
    """The numbers of zeros in front of each spatial axis and behind it."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def same_ends(
    sizes: Sequence[Dim],
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    dilation: int | tuple[int, ...],
) -> Ends | None:
    """The zeros with which each axis of n positions becomes one of `ceil(n / stride)`, the larger half behind.

    None where their number depends on a size that is only known at run time. Source: TensorFlow's padding `SAME`.
    """
    space, totals = len(sizes), []
    for size, k, s, d in zip(sizes, each(kernel, space), each(stride, space), each(dilation, space), strict=True):
        # All sizes with the same remainder are padded alike, so the size itself may stay unknown.
        rest = 0 if s == 1 else next((r for r in range(s) if compare(size % s, "==", r) is True), None)
        if rest is None:
            return None
        # The extent of the kernel less the remainder or, where the stride divides the size, less the stride.
        totals.append(max(d * (k - 1) + 1 - (rest or s), 0))
    return _halves(totals)


def _halves(totals: Iterable[int]) -> Ends:
    """Numbers of positions, divided between both ends; the larger half is behind."""
    totals = tuple(totals)
    return Ends(tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals))


def convolution(
    space: int,
    channels: int,
    kernel: int | tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | Ends | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    bias: bool = True,
) -> Iterator[Op]:
    """The ops of a convolution over `space` axes; a single number is that of every axis.

    `padding` is a number of positions at both ends, those of each end, `circular` or `causal`. Circular padding, and
    padding with more positions at one end, need a separate op in front, because a convolution pads both ends equally
    with zeros.
    """
    kernels, dilations = each(kernel, space), each(dilation, space)
    if padding == "circular":
        # The numbers of positions that the kernel covers in addition to its first one.
        ends = _halves(step * (size - 1) for size, step in zip(kernels, dilations, strict=True))
        # The larger half is behind: where that is empty, so is the other.
        if any(ends.after):
            yield Pad(before=ends.before, after=ends.after, circular=True)
        padding = 0
    elif isinstance(padding, Ends) and padding.before != padding.after:
        yield Pad(before=padding.before, after=padding.after)
        padding = 0
    elif isinstance(padding, Ends):
        padding = padding.before
    # For `causal` the op pads by itself, as its kernel and dilation require.
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
