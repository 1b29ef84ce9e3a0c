"""The base of all schema models: reads a map node, keeps its span, refuses unknown keys with the nearest known one."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, core_schema

from archspec.diagnostics import Diagnostic, Label, Span, SpecError, did_you_mean
from archspec.schema.errors import carry, diagnostics_of
from archspec.schema.plain import Around, Before, Plain
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

SPAN = "(span)"


class Items(list[Any]):
    """The items of a list node, which is kept for its place."""

    def __init__(self, node: ListNode) -> None:
        super().__init__(plain(item) for item in node.items)
        self.node = node


def plain(node: Any) -> Any:
    """Lists of nodes as Python lists; texts and maps stay nodes for the validators of their fields."""
    return Items(node) if isinstance(node, ListNode) else node


def is_none(node: Any) -> bool:
    """Whether the node is the word `none`."""
    return isinstance(node, TextNode) and node.value == "none"


def _maybe(node: Any, handler: Any) -> Any:
    return None if node is None or is_none(node) else handler(node)


MAYBE = Around(_maybe)
"""Annotation: the word `none` is None, as in `Annotated[NormFields | None, MAYBE]`."""

WORD = Before(lambda node: node.value if isinstance(node, TextNode) else node)
"""Annotation: a fixed word, as in `Annotated[Literal["first", "last"], WORD]`."""


def _two(node: Any) -> Any:
    if isinstance(node, Items) and len(node) != 2:
        message = f"expected a list of two, found {len(node)}"
        raise carry([Diagnostic(code="E204", message=message, primary=Label(node.node.span))])
    return node


TWO = Before(_two)
"""Annotation: a list of exactly two items, as in `Annotated[list[ExprField], TWO]`."""


_BUILDING: ContextVar[type[BaseModel] | None] = ContextVar("building", default=None)


class Model(BaseModel):
    """A map of the language. `at` is where it stands; `given` are the keys that the user wrote."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True, populate_by_name=True
    )

    shorthand: ClassVar[str | None] = None
    """The field that a bare word stands for: `residual: pre` is `{kind: pre}`."""

    at: SkipJsonSchema[Annotated[Span | None, Plain(lambda span: span)]] = Field(default=None, alias=SPAN, repr=False)

    @classmethod
    def model_rebuild(cls, *, whole: bool = False, **options: Any) -> bool | None:
        """Build the validator, as happens when the model is first read.

        `whole` builds it with those of the models inside it, as a JSON Schema wants to see them.
        """
        token = _BUILDING.set(None if whole else cls)
        try:
            return super().model_rebuild(**options)
        finally:
            _BUILDING.reset(token)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A model inside another is read by its own validator, which is built when a file has such a map."""
        if _BUILDING.get() in (cls, None):
            return handler(source)
        return core_schema.no_info_plain_validator_function(cls._read_inside)

    @classmethod
    def _read_inside(cls, node: Any) -> Self:
        try:
            return cls.model_validate(node)
        except ValidationError as error:
            raise carry(diagnostics_of(error, node, cls._told())) from None

    @model_validator(mode="wrap")
    @classmethod
    def _open(cls, node: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        node = node.node if isinstance(node, Items) else node
        if not isinstance(node, (TextNode, ListNode, MapNode)):
            return handler(node)
        found: list[Diagnostic] = []
        data = cls._data(node, found)
        found.extend(cls._check(node, data))
        try:
            model = handler({**data, SPAN: node.span})
        except ValidationError as error:
            raise carry([*found, *diagnostics_of(error, node, cls._told())]) from None
        if found:
            raise carry(found)
        return model

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        """What is wrong with the keys, said before the fields are read; a key taken out of `data` is not read."""
        yield from ()

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        if isinstance(node, TextNode) and cls.shorthand:
            return {cls.shorthand: node}
        if not isinstance(node, MapNode):
            what = "text" if isinstance(node, TextNode) else "list"
            raise carry([Diagnostic(code="E204", message=f"expected a map, found a {what}", primary=Label(node.span))])
        known = cls.keys()
        found.extend(unknown_key(entry.key, known) for entry in node.entries if entry.key.value not in known)
        return {entry.key.value: plain(entry.value) for entry in node.entries if entry.key.value in known}

    @classmethod
    def _told(cls) -> dict[str, str]:
        """What each field is, for the user who left it out."""
        told = {}
        for name, field in cls.model_fields.items():
            key, words = field.alias or name, _words(field.annotation)
            choice = f"; one of {', '.join(f'`{word}`' for word in words)}" if words else ""
            told[key] = f"`{key}`: {field.description}{choice}" if field.description else ""
        return {key: text for key, text in told.items() if text}

    @classmethod
    def keys(cls) -> list[str]:
        """Names of the fields, as a user writes them."""
        return [field.alias or name for name, field in cls.model_fields.items() if name != "at"]

    @property
    def given(self) -> frozenset[str]:
        """Fields that the user wrote, as opposed to those left at their defaults."""
        return frozenset(self.model_fields_set) - {"at"}

    @classmethod
    def read(cls, node: Node) -> Self:
        """Validate a node; raises SpecError with every error in it."""
        try:
            return cls.model_validate(node)
        except ValidationError as error:
            raise SpecError(diagnostics_of(error, node, cls._told())) from None


def _words(annotation: Any) -> tuple[str, ...]:
    """The words that a field may hold, itself or as the kind of what it holds."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model) and annotation.shorthand is not None:
        field = annotation.model_fields[annotation.shorthand]
        return _words(field.annotation)
    return ()


def unknown_key(key: TextNode, known: list[str]) -> Diagnostic:
    """The diagnostic for a key that a map does not have."""
    return Diagnostic(
        code="E202",
        message=f"unknown key `{key.value}`",
        primary=Label(key.span),
        help=did_you_mean(key.value, known, kind="keys", limit=30),
    )
