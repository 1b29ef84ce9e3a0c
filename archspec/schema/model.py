"""The base of all schema models: reads a map node, keeps its span, and reports unknown keys with the nearest known.

Files that declare models have no `from __future__ import annotations`: pydantic would compile the annotation of every
field again in every process, which is a twentieth of a check.
"""

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
    """A map of the language. `at` is its span; `given` are the keys that the user wrote."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # Files are read without pydantic's validators, which are built for the JSON Schema alone.
        defer_build=True,
        arbitrary_types_allowed=True,
        populate_by_name=True,
        protected_namespaces=(),
    )

    shorthand: ClassVar[str | None] = None
    """The field that a bare word sets: `residual: pre` is `{kind: pre}`."""

    at: SkipJsonSchema[Annotated[Span | None, Plain(lambda span: span)]] = Field(default=None, alias=SPAN, repr=False)

    @classmethod
    def read(cls, node: Any) -> Self:
        """Read a node into a model. Raises SpecError with every error in it, each once."""
        node = node.node if isinstance(node, Items) else node
        found: list[Diagnostic] = []
        data = cls._data(node, found)
        found.extend(cls._check(node, data))
        given: dict[str, Any] = {}
        # A misspelt key is reported as unknown with its correction; a second error "missing" would repeat it.
        meant = {meant_key(one) for one in found if one.code == "E202"}
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key in data:
                try:
                    given[name] = cls._readers()[name](data[key])
                except SpecError as error:
                    found.extend(error.diagnostics)
            elif field.is_required() and key not in meant:
                found.append(missing_field(key, node, cls._field_help().get(key)))
        if found:
            raise SpecError(dict.fromkeys(found))
        # Every field was read above, so pydantic's own validation, which knows no spans, is skipped.
        values = {**cls._defaults(), **given, "at": cls._place(node)}
        return cast(Self, cls.model_construct(_fields_set=set(given), **values))

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A model of values that other models have read: they are not validated again."""
        # pydantic would first build the validator of the class, which takes longer than to read the whole file.
        return cast(Self, cls.model_construct(**values))

    @classmethod
    def _place(cls, node: Node) -> Span:
        """The span for messages about the model as a whole."""
        return node.place if isinstance(node, MapNode) else node.span

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """The defaults that are declared as a file would write them (`validate_default`), read like a field."""
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
        """Yield errors of the keys before the fields are read; a key removed from `data` is not read."""
        yield from ()

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        """The raw values of the known keys; appends E202 to `found` for every other key.

        A bare word becomes the value of the shorthand field. Raises SpecError E204 for a node that is not a map.
        """
        if isinstance(node, TextNode) and cls.shorthand:
            return {cls.shorthand: node}
        if not isinstance(node, MapNode):
            what = "text" if isinstance(node, TextNode) else "list"
            fail("E204", f"expected a map, found a {what}", node.span)
        known = cls.keys()
        found.extend(unknown_key(entry.key, known) for entry in node.entries if entry.key.value not in known)
        return {entry.key.value: plain(entry.value) for entry in node.entries if entry.key.value in known}

    @classmethod
    def _field_help(cls) -> dict[str, str]:
        """The help for each field that has a description, used where the field is missing."""
        found = {}
        for name, field in cls.model_fields.items():
            key, words = field.alias or name, _words(field.annotation)
            choice = f"; one of {', '.join(f'`{word}`' for word in words)}" if words else ""
            found[key] = f"`{key}`: {field.description}{choice}" if field.description else ""
        return {key: text for key, text in found.items() if text}

    @classmethod
    def keys(cls) -> list[str]:
        """The keys of the fields as a user writes them."""
        return [field.alias or name for name, field in cls.model_fields.items() if name != "at"]

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that the user wrote; the others have their defaults."""
        return frozenset(self.model_fields_set) - {"at"}


def missing_field(key: str, node: Node, help: str | None = None) -> Diagnostic:
    """E203 for a required key; it points at the key that holds the map. `help` says what the field is."""
    place = node.place if isinstance(node, MapNode) else node.span
    return Diagnostic(code="E203", message=f"missing field `{key}`", primary=Label(place), help=help)


def _words(annotation: Any) -> tuple[str, ...]:
    """The words that a field accepts, itself or as the shorthand of the model that it holds; empty for other types."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model) and annotation.shorthand is not None:
        field = annotation.model_fields[annotation.shorthand]
        return _words(field.annotation)
    return ()


def meant_key(unknown: Diagnostic) -> str:
    """The known key that the help of an E202 suggests; a field with that key is then not reported as missing."""
    return (unknown.help or "").removeprefix("did you mean `").removesuffix("`?")


def unknown_key(key: TextNode, known: list[str]) -> Diagnostic:
    """E202 for a key that is not in `known`; the help is the nearest known key, else the list of at most 30 keys."""
    return Diagnostic(
        code="E202",
        message=f"unknown key `{key.value}`",
        primary=Label(key.span),
        help=did_you_mean(key.value, known, kind="keys", limit=30),
    )
