"""NORM: the fields of a norm, and the words by which a block selects the default norm or none."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.record import record
from archspec.schema.findings import key_span, kind_of, misplaced, missing, word
from archspec.schema.model import Model
from archspec.schema.plain import Around, Plain
from archspec.schema.sorts import BoolField, ExprField, SizeField
from archspec.text.nodes import Node, TextNode

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Kind = Literal["layer_norm", "rms_norm", "batch_norm", "frozen_batch_norm", "group_norm"]
_FIELDS = {
    "layer_norm": ("bias", "unit_offset"),
    "rms_norm": ("unit_offset",),
    "batch_norm": ("bias", "unit_offset"),
    "frozen_batch_norm": ("bias",),
    "group_norm": ("bias", "unit_offset", "groups"),
}
# The defaults of torch and, for rms_norm, of Llama's configuration in transformers.
_EPS = {"layer_norm": 1e-5, "rms_norm": 1e-6, "batch_norm": 1e-5, "frozen_batch_norm": 1e-5, "group_norm": 1e-5}


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
            yield Diagnostic(code="E242", message="`unit_offset` needs a weight", primary=Label(span))
        if kind == "group_norm":
            yield from missing(node, data, "groups", cls._field_help().get("groups"))
        if kind in ("batch_norm", "frozen_batch_norm") and _off(data, "weight") and not _off(data, "bias"):
            message, help = f"`{kind}` with a bias but no weight is not supported", "write `bias: false` too"
            yield Diagnostic(code="E242", message=message, primary=Label(key_span(node, "weight")), help=help)


def _off(data: dict[str, Any], key: str) -> bool:
    """Whether an option is written as `false`."""
    return word(data.get(key)) == "false"


class NormFields(NormOptions):
    """A norm: over the features, or over channels for batch norms and group_norm.

    `frozen_batch_norm` does not train: its weight, bias and statistics are buffers, used as they are in training too.
    """

    shorthand: ClassVar[str | None] = "kind"

    kind: Kind = Field(description="which norm")


@record
class DefaultNorm:
    """The word `true` in place of a norm, which selects `defaults.norm`; `at` is its span."""

    at: Span | None


@record(kw_only=False)
class MaybeNorm(Around):
    """Annotation of a norm field that may select the default norm, or no norm by one of the words `off`."""

    off: tuple[str, ...]

    def __get_pydantic_json_schema__(self, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        """The schema of the annotated type, extended by `false` if that word means off."""
        taken = handler(schema)
        return {"anyOf": [taken, {"const": False}]} if "false" in self.off else taken


def _choice(off: tuple[str, ...]) -> MaybeNorm:
    """The annotation of a norm field that the words `off` switch off."""

    def validate(node: Any, handler: Any) -> Any:
        if isinstance(node, TextNode) and node.value in off:
            return None
        if isinstance(node, TextNode) and node.value == "true":
            return DefaultNorm(at=node.span)
        return NormFields.read(node)

    return MaybeNorm(validate, off)


# Only for the JSON Schema: `_choice` validates without the handler of the type.
_True = Annotated[DefaultNorm, Plain(lambda value: value), WithJsonSchema({"const": True})]
NormChoice = NormFields | DefaultNorm | None
NormField = Annotated[NormFields | _True | None, _choice(("none",))]
"""A norm, `true` for the default one, or `none`."""
NormNeeded = Annotated[NormFields | _True | None, _choice(())]
"""A norm, or `true` for the default one."""
NormSwitch = Annotated[NormFields | _True | None, _choice(("none", "false"))]
"""A norm or a bool: `true` for the default one."""
