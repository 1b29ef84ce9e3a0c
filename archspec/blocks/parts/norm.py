"""NORM: the norms that other blocks take as a field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import fixed, positive
from archspec.diagnostics import Diagnostic, Label, Span
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.shape.transpose import Transpose
from archspec.record import record
from archspec.schema.findings import key_span, kind_of, misplaced, missing, word
from archspec.schema.model import Model
from archspec.schema.plain import Around, Plain
from archspec.schema.sorts import BoolField, ExprField, SizeField
from archspec.text.nodes import Node, TextNode

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Kind = Literal["layer_norm", "rms_norm", "batch_norm", "group_norm"]
_FIELDS = {
    "layer_norm": ("bias", "unit_offset"),
    "rms_norm": ("unit_offset",),
    "batch_norm": ("bias", "unit_offset"),
    "group_norm": ("bias", "unit_offset", "groups"),
}
_EPS = {"layer_norm": 1e-5, "rms_norm": 1e-6, "batch_norm": 1e-5, "group_norm": 1e-5}


class NormOptions(Model):
    """The options of a norm; which of them apply depends on its kind."""

    eps: ExprField | None = Field(
        default=None, description="added to the variance; 1e-5 when left out, 1e-6 for rms_norm"
    )
    weight: BoolField = Field(default=True, description="whether features are scaled by a learned weight")
    bias: BoolField = Field(default=True, description="whether a learned bias is added (not for rms_norm)")
    unit_offset: BoolField = Field(default=False, description="multiply by 1 + weight; the weight starts at zeros")
    groups: SizeField | None = Field(default=None, description="number of groups of channels, for group_norm")

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = kind_of(data.get("kind"))
        yield from misplaced(node, data, kind, _FIELDS)
        if word(data.get("unit_offset")) == "true" and word(data.get("weight")) == "false":
            span = key_span(node, "unit_offset")
            yield Diagnostic(code="E242", message="`unit_offset` needs the weight", primary=Label(span))
        if kind == "group_norm":
            yield from missing(node, data, "groups", cls._told().get("groups"))
        if kind == "batch_norm" and _off(data, "weight") and not _off(data, "bias"):
            message, help = "there is no `batch_norm` with a bias alone", "write `bias: false` too"
            yield Diagnostic(code="E242", message=message, primary=Label(key_span(node, "weight")), help=help)


def _off(data: dict[str, Any], key: str) -> bool:
    return word(data.get(key)) == "false"


class NormFields(NormOptions):
    """A norm over the last axis."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Kind = Field(description="which norm")


@record
class DefaultNorm:
    """`true` where a norm may stand: the file's `defaults.norm`."""

    at: Span | None


@record(kw_only=False)
class MaybeNorm(Around):
    """Annotation of a norm that may be the default one, or off by a word of `off`."""

    off: tuple[str, ...]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What the annotated type takes, and `false` where that is a word for off."""
        taken = handler(schema)
        return {"anyOf": [taken, {"const": False}]} if "false" in self.off else taken


def _choice(off: tuple[str, ...]) -> MaybeNorm:
    def validate(node: Any, handler: Any) -> Any:
        if isinstance(node, TextNode) and node.value in off:
            return None
        if isinstance(node, TextNode) and node.value == "true":
            return DefaultNorm(at=node.span)
        return NormFields.read(node)

    return MaybeNorm(validate, off)


_True = Annotated[DefaultNorm, Plain(lambda value: value), WithJsonSchema({"const": True})]
NormChoice = NormFields | DefaultNorm | None
NormField = Annotated[NormFields | _True | None, _choice(("none",))]
"""A norm, `true` for the default one, or `none`."""
NormNeeded = Annotated[NormFields | _True | None, _choice(())]
"""A norm, or `true` for the default one."""
NormSwitch = Annotated[NormFields | _True | None, _choice(("none", "false"))]
"""A norm or a bool: `true` for the default one."""


def chosen(cx: Context, choice: NormChoice) -> NormFields | None:
    """The norm that a field asks for. Raises E243 where it is `true` and the file has no default."""
    if isinstance(choice, DefaultNorm):
        return default_norm(cx, choice.at)
    return choice


def default_norm(cx: Context, span: Span | None) -> NormFields:
    """The file's default norm. Raises E243 where there is none."""
    if cx.defaults.norm is None:
        cx.fail("E243", "there is no default norm", span, help="name the norm here, or write `defaults: {norm: ...}`")
    return cx.defaults.norm


def norm_op(cx: Context, kind: str, options: NormOptions) -> Op:
    """The primitive of a norm over the last axis. Raises E241 for a norm of channels."""
    eps = _EPS[kind] if options.eps is None else positive(cx, options.eps, "eps")
    if kind == "rms_norm":
        return RMSNorm(eps=eps, weight=options.weight, unit_offset=options.unit_offset)
    if kind != "layer_norm":
        cx.fail("E241", f"`{kind}` is a norm of channels, and this is none", options.at, help="choose another norm")
    return LayerNorm(eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset)


def channel_norm_op(cx: Context, kind: str, options: NormOptions) -> Op:
    """The primitive of a norm of channels: over axis 1 for batch_norm and group_norm, over the last for the others."""
    if kind not in ("batch_norm", "group_norm"):
        return norm_op(cx, kind, options)
    eps = _EPS[kind] if options.eps is None else positive(cx, options.eps, "eps")
    if kind == "batch_norm":
        return BatchNorm(eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset)
    assert options.groups is not None
    groups = fixed(cx, options.groups, "groups")
    return GroupNorm(groups=groups, eps=eps, weight=options.weight, bias=options.bias, unit_offset=options.unit_offset)


def norm_of(cx: Context, choice: NormChoice) -> Op | None:
    """The primitive that a norm field asks for; None where it is off."""
    norm = chosen(cx, choice)
    return None if norm is None else norm_op(cx, norm.kind, norm)


def channel_norm_of(cx: Context, choice: NormChoice) -> Op | None:
    """The primitive that a norm field of a map block asks for; None where it is off."""
    norm = chosen(cx, choice)
    return None if norm is None else channel_norm_op(cx, norm.kind, norm)


def along(op: Op, axis: int, rank: int) -> tuple[int, ...] | None:
    """The order of axes in which a norm works along `axis`, its own inverse; None where they may stay."""
    place = 1 if isinstance(op, (BatchNorm, GroupNorm)) else rank - 1
    if axis == place:
        return None
    return tuple({axis: place, place: axis}.get(number, number) for number in range(rank))


def add_channel_norm(b: Builder, op: Op, x: Value, name: str, result: str) -> Value:
    """Add a norm along axis 1 of a map; parameters `name.weight`."""
    order = along(op, 1, x.type.rank)
    if order is None:
        return b.add(op, x, name=name, result=result)
    y = b.add(op, b.add(Transpose(order=order), x), name=name)
    return b.add(Transpose(order=order), y, result=result)
