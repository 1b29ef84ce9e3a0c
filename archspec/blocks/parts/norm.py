"""NORM: make the primitives of norms that blocks take as a field."""

from __future__ import annotations

from archspec.blocks.parts.context import Context
from archspec.blocks.parts.norm_fields import _EPS, DefaultNorm, NormChoice, NormFields, NormOptions
from archspec.blocks.parts.numbers import fixed, positive
from archspec.diagnostics import Span, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.shape.transpose import Transpose


def chosen(cx: Context, choice: NormChoice) -> NormFields | None:
    """The norm that a field selects; None if it is off. Raises SpecError E243 for `true` without a default norm."""
    if isinstance(choice, DefaultNorm):
        return default_norm(cx, choice.at)
    return choice


def default_norm(cx: Context, span: Span | None) -> NormFields:
    """The default norm of the file; `span` is where it is used. Raises SpecError E243 if there is none."""
    if cx.defaults.norm is None:
        fail("E243", "there is no default norm", span, help="name the norm here, or write `defaults: {norm: ...}`")
    return cx.defaults.norm


def norm_op(cx: Context, kind: str, options: NormOptions) -> Op:
    """The primitive of a norm over the last axis. Raises SpecError E241 for norms over channels."""
    eps = _EPS[kind] if options.eps is None else positive(cx, options.eps, "eps")
    if kind == "rms_norm":
        return RMSNorm(eps=eps, weight=options.weight, unit_offset=options.unit_offset)
    if kind != "layer_norm":
        fail(
            "E241", f"`{kind}` is a norm over channels and does not apply here", options.at, help="choose another norm"
        )
    return LayerNorm(eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset)


def channel_norm_op(cx: Context, kind: str, options: NormOptions) -> Op:
    """The primitive of a norm of any kind: over axis 1 for those of channels, over the last axis for others."""
    if kind not in ("batch_norm", "frozen_batch_norm", "group_norm"):
        return norm_op(cx, kind, options)
    eps = _EPS[kind] if options.eps is None else positive(cx, options.eps, "eps")
    if kind != "group_norm":
        frozen = kind == "frozen_batch_norm"
        return BatchNorm(
            eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset, frozen=frozen
        )
    assert options.groups is not None
    groups = fixed(cx, options.groups, "groups")
    return GroupNorm(groups=groups, eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset)


def norm_of(cx: Context, choice: NormChoice) -> Op | None:
    """The primitive that a norm field selects; None if it is off. Raises SpecError as `chosen` and `norm_op` do."""
    norm = chosen(cx, choice)
    return None if norm is None else norm_op(cx, norm.kind, norm)


def channel_norm_of(cx: Context, choice: NormChoice) -> Op | None:
    """The primitive that a norm field of a block on maps selects; None if it is off. Raises SpecError as `chosen`."""
    norm = chosen(cx, choice)
    return None if norm is None else channel_norm_op(cx, norm.kind, norm)


def along(op: Op, axis: int, rank: int) -> tuple[int, ...] | None:
    """The permutation of `rank` axes with which a norm works along `axis`; None if none is needed.

    It swaps two axes, so it is its own inverse.
    """
    # Batch and group norms work on channels, which torch has at axis 1.
    place = 1 if isinstance(op, (BatchNorm, GroupNorm)) else rank - 1
    if axis == place:
        return None
    return tuple({axis: place, place: axis}.get(number, number) for number in range(rank))


def add_channel_norm(b: Builder, op: Op, x: Value, name: str, result: str) -> Value:
    """Add a norm along axis 1 of a map [batch, channels, space...]. Parameters: those of the norm, below `name`."""
    order = along(op, 1, x.type.rank)
    if order is None:
        return b.add(op, x, name=name, result=result)
    y = b.add(op, b.add(Transpose(order=order), x), name=name)
    return b.add(Transpose(order=order), y, result=result)
