"""The base of all schema models: reads a map node, keeps its span, refuses unknown keys with the nearest known one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from archspec.diagnostics import Diagnostic, Label, Span, SpecError, did_you_mean, fail
from archspec.schema.plain import Around, Before, Plain
from archspec.schema.reading import Items, Reader, plain, reader
from archspec.text.nodes import MapNode, Node, TextNode

SPAN = "(span)"


def is_none(node: Any) -> bool:
    """Whether the node is the word `none`."""
    return isinstance(node, TextNode) and node.value == "none"


def _maybe(node: Any, handler: Any) -> Any:
    return None if node is None or is_none(node) else handler(node)


MAYBE = Around(_maybe)
"""Annotation: the word `none` is None, as in `Annotated[NormFields | None, MAYBE]`."""


def _two(node: Any) -> Any:
    if isinstance(node, Items) and len(node) != 2:
        fail("E204", f"expected a list of two, found {len(node)}", node.node.span)
    return node


TWO = Before(_two)
"""Annotation: a list of exactly two items, as in `Annotated[list[ExprField], TWO]`."""


class Model(BaseModel):
    """A map of the language. `at` is where it stands; `given` are the keys that the user wrote."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True, populate_by_name=True
    )

    shorthand: ClassVar[str | None] = None
    """The field that a bare word stands for: `residual: pre` is `{kind: pre}`."""

    at: SkipJsonSchema[Annotated[Span | None, Plain(lambda span: span)]] = Field(default=None, alias=SPAN, repr=False)

    @classmethod
    def read(cls, node: Any) -> Self:
        """Read a node; raises SpecError with every error in it."""
        node = node.node if isinstance(node, Items) else node
        found: list[Diagnostic] = []
        data = cls._data(node, found)
        found.extend(cls._check(node, data))
        given: dict[str, Any] = {}
        meant = {meant_key(one) for one in found if one.code == "E202"}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in data:
                try:
                    given[name] = cls._readers()[name](data[key])
                except SpecError as error:
                    found.extend(error.diagnostics)
            elif field.is_required() and key not in meant:
                found.append(missing_field(key, node, cls._told().get(key)))
        if found:
            raise SpecError(dict.fromkeys(found))
        values = {**cls._defaults(), **given, "at": cls._place(node)}
        return cast(Self, cls.model_construct(_fields_set=set(given), **values))

    @classmethod
    def _place(cls, node: Node) -> Span:
        """Where messages about the whole of it point."""
        return node.place if isinstance(node, MapNode) else node.span

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Defaults that are written as a file writes them, read."""
        written = {name: field for name, field in cls.model_fields.items() if field.validate_default}
        return {
            name: cls._readers()[name](plain(field.get_default(call_default_factory=True)))
            for name, field in written.items()
        }

    @classmethod
    @cache
    def _readers(cls) -> dict[str, Reader]:
        return {name: reader(field.annotation, field.metadata) for name, field in cls.model_fields.items()}

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
            fail("E204", f"expected a map, found a {what}", node.span)
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


def missing_field(key: str, node: Node, help: str | None = None) -> Diagnostic:
    """The diagnostic for a key that a map needs; it stands where the map is named."""
    place = node.place if isinstance(node, MapNode) else node.span
    return Diagnostic(code="E203", message=f"missing field `{key}`", primary=Label(place), help=help)


def _words(annotation: Any) -> tuple[str, ...]:
    """The words that a field may hold, itself or as the kind of what it holds."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model) and annotation.shorthand is not None:
        field = annotation.model_fields[annotation.shorthand]
        return _words(field.annotation)
    return ()


def meant_key(unknown: Diagnostic) -> str:
    """The key that an unknown one was probably meant to be, as its help says; it is then not told to be missing."""
    return (unknown.help or "").removeprefix("did you mean `").removesuffix("`?")


def unknown_key(key: TextNode, known: list[str]) -> Diagnostic:
    """The diagnostic for a key that a map does not have."""
    return Diagnostic(
        code="E202",
        message=f"unknown key `{key.value}`",
        primary=Label(key.span),
        help=did_you_mean(key.value, known, kind="keys", limit=30),
    )
