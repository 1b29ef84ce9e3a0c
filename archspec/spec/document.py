"""The sections of a spec file, as pydantic models: each field declares its sort."""

from string import ascii_letters, digits
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from archspec.blocks.parts.norm_fields import NormFields
from archspec.diagnostics import Diagnostic, fail
from archspec.schema.init import InitFields
from archspec.schema.model import MAYBE, Model
from archspec.schema.plain import Plain
from archspec.schema.sorts import BoolField, ExprField, PathField, TextField, TypeField, text_of
from archspec.spec.rule_item import RuleField
from archspec.text.nodes import ListNode, Node, TextNode
from archspec.text.scalars import parse_int

# The class of the emitted module is named after the architecture.
_NAME_PATTERN = "^[A-Za-z0-9._-]+$"
_NAME_CHARACTERS = frozenset(ascii_letters + digits + "._-")


def _version(node: Any) -> int:
    text = text_of(node, "the version of the language")
    if text.value != "1":
        fail("E222", f"unknown language version `{text.value}`", text.span, help="write `archspec: 1`")
    return 1


def _name(node: Any) -> str:
    text = text_of(node, "a name")
    if not text.value or not _NAME_CHARACTERS.issuperset(text.value):
        fail("E223", f"`{text.value}` is not a name", text.span, help="use letters, digits, `.`, `-` and `_`")
    return text.value


def _integer(node: Any) -> int:
    return parse_int(text_of(node, "a whole number"))


def _raw_text(node: Any) -> TextNode:
    return text_of(node, "a number, true or false")


def _raw(node: Any) -> Any:
    return node


VersionField = Annotated[int, Plain(_version), WithJsonSchema({"const": 1})]
NameField = Annotated[str, Plain(_name), WithJsonSchema({"type": "string", "pattern": _NAME_PATTERN})]
IntegerField = Annotated[int, Plain(_integer), WithJsonSchema({"type": "integer"})]
RawText = Annotated[TextNode, Plain(_raw_text), WithJsonSchema({"type": ["number", "boolean"]})]
# Nodes, defaults of fields and layouts are read later, when the blocks that give their fields are known.
NodeField = Annotated[Any, Plain(_raw), WithJsonSchema({"format": "node"})]
LayoutField = Annotated[Any, Plain(_raw), WithJsonSchema({"type": ["object", "string"]})]


class DimFields(Model):
    """The range of a size that is only known at run time: `[min, typical, max]`, or a map."""

    min: ExprField = Field(description="the smallest size")
    typical: ExprField = Field(description="the size for which costs are given")
    max: ExprField = Field(description="the largest size")
    multiple: ExprField | None = Field(default=None, description="every size is a multiple of this; 1 when left out")

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        if not isinstance(node, ListNode):
            return super()._data(node, found)
        if len(node.items) != 3:
            help = "write three sizes: the smallest, the typical and the largest"
            fail("E204", f"expected [min, typical, max], found {len(node.items)} sizes", node.span, help=help)
        return dict(zip(("min", "typical", "max"), node.items, strict=True))


class InputFields(Model):
    """An input: its type, or a map with the type, a default and promises about its values."""

    shorthand: ClassVar[str | None] = "type"

    type: TypeField = Field(description="dtype and axes, such as `int64[batch, length] < vocab`")
    default: Annotated[RawText | None, MAYBE] = Field(
        default=None, description="value of every element where the input is left out; makes it optional"
    )
    padding: Literal["any", "right", "left"] = Field(
        default="any",
        description="where a bool input may be false: anywhere, only at the end of a row, or only at its start",
    )
    sorted: BoolField = Field(default=False, description="whether integers never decrease along the last axis")


class OutputFields(Model):
    """An output: its type, or a map with its source and its type."""

    shorthand: ClassVar[str | None] = "type"

    source: Annotated[PathField | None, MAYBE] = Field(
        default=None, alias="from", description="the value; the node with the name of the output when left out"
    )
    type: TypeField = Field(description="the type that the value must have")


class FieldFields(Model):
    """A field of a user-defined block: its sort, or a map with its sort and its default."""

    shorthand: ClassVar[str | None] = "type"

    type: Literal["size", "number", "bool", "activation", "norm", "mask", "init"] = Field(
        description="the sort of the field"
    )
    default: NodeField = Field(default=None, description="value of the field where a call leaves it out")


class BlockFields(Model):
    """A user-defined block, made of other blocks."""

    about: TextField | None = Field(default=None, description="what it is and where it comes from")
    fields: dict[str, FieldFields] = Field(default_factory=dict, description="fields that a call sets")
    inputs: dict[str, TypeField] = Field(
        description="values that a call passes; it binds the axis names in their types"
    )
    graph: dict[str, NodeField] = Field(description="the nodes, in any order")
    outputs: dict[str, OutputFields] = Field(description="outputs of the block; the first is the main one")


class DefaultsFields(Model):
    """Values of fields that a block leaves out."""

    norm: Annotated[NormFields | None, MAYBE] = Field(default=None, description="the norm")
    bias: BoolField = Field(default=True, description="whether projections have a bias")
    dropout: ExprField | None = Field(
        default=None, description="rate of embedding and residual dropout; 0 when left out"
    )
    init: Annotated[InitFields | None, MAYBE] = Field(default=None, description="how weights and tables start")


class CountsFields(Model):
    """Exact numbers that the architecture must have."""

    parameters: Annotated[IntegerField | None, MAYBE] = Field(
        default=None, description="number of parameters, tied ones counted once"
    )
    trainable: Annotated[IntegerField | None, MAYBE] = Field(
        default=None, description="number of parameters that are not frozen"
    )
    flops: Annotated[IntegerField | None, MAYBE] = Field(
        default=None, description="FLOPs of a forward pass at the typical dims"
    )


class ReducedFields(Model):
    """A small copy for tests."""

    constants: dict[str, ExprField] = Field(default_factory=dict, description="constants to replace")
    dims: dict[str, DimFields] = Field(default_factory=dict, description="dims to replace")


class DecodeFields(Model):
    """What generation feeds back, and the ids that start and end a row."""

    input: PathField = Field(description="the input that grows by one position per step")
    output: PathField = Field(description="the output with the logits of the next position")
    start: Annotated[ExprField | None, MAYBE] = Field(
        default=None, description="id placed before every prompt; `none` for no such id"
    )
    end: Annotated[list[ExprField] | ExprField | None, MAYBE] = Field(
        default=None, description="id or ids that end a row; `none` for no such id"
    )
    ban: Annotated[list[ExprField] | None, MAYBE] = Field(default=None, description="ids that are never chosen")


class FileModel(Model):
    """A spec file, merged over those that it extends."""

    archspec: VersionField = Field(description="version of the language")
    name: NameField = Field(description="name of the architecture")
    about: Annotated[TextField | None, MAYBE] = Field(default=None, description="what it is and where it comes from")
    extends: TextField | None = Field(default=None, description="a file, or the bare name of a shipped spec")
    constants: dict[str, ExprField] = Field(default_factory=dict, description="named numbers")
    dims: dict[str, DimFields] = Field(default_factory=dict, description="sizes known at run time")
    inputs: dict[str, InputFields] = Field(description="inputs of the model")
    defaults: DefaultsFields = Field(
        default_factory=DefaultsFields, description="values of fields that blocks leave out"
    )
    blocks: dict[str, BlockFields] = Field(default_factory=dict, description="user-defined blocks")
    graph: dict[str, NodeField] = Field(description="the nodes, in any order")
    outputs: dict[str, OutputFields] = Field(description="outputs of the model")
    rules: list[RuleField] = Field(default_factory=list, description="which dependences must or must not exist")
    counts: Annotated[CountsFields | None, MAYBE] = Field(
        default=None, description="exact numbers of parameters and FLOPs"
    )
    reduced: Annotated[ReducedFields | None, MAYBE] = Field(default=None, description="a small copy for tests")
    decode: Annotated[DecodeFields | None, MAYBE] = Field(default=None, description="what generation feeds back")
    weights: dict[str, LayoutField] = Field(default_factory=dict, description="layouts of published checkpoints")
