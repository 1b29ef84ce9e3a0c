"""Read a field as its annotation declares.

The models declare the language, and pydantic makes the JSON Schema from them. Files are read here and not by pydantic:
every value keeps its span, all errors of a file are reported together, and only the models that a file uses are built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MinLen

from archspec.diagnostics import Diagnostic, Span, SpecError, did_you_mean, fail
from archspec.schema.plain import Around, Before, Plain
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

Reader = Callable[[Any], Any]


class Items(list[Any]):
    """The items of a list node; the node is kept for its span."""

    def __init__(self, node: ListNode) -> None:
        super().__init__(plain(item) for item in node.items)
        self.node = node


def plain(node: Any) -> Any:
    """A list node as a Python list (`Items`); texts and maps stay nodes, for the readers of their fields."""
    return Items(node) if isinstance(node, ListNode) else node


def place(value: Any) -> Span | None:
    """The span of a raw value; None for a value that does not come from a file."""
    node = value.node if isinstance(value, Items) else value
    return node.span if isinstance(node, Node) else None


def reader(annotation: Any, metadata: Sequence[Any] = ()) -> Reader:
    """The function that reads a field of type `annotation`.

    It starts with the reader of the type itself and wraps it in `Plain`, `Before`, `Around` and `MinLen` metadata in
    order; `Plain` replaces what is inside it, and other metadata is ignored. The result raises SpecError for a value
    that does not fit.
    """
    read = _base(annotation)
    for item in metadata:
        if isinstance(item, Plain):
            read = item.function
        elif isinstance(item, Before):
            read = _before(item.function, read)
        elif isinstance(item, Around):
            read = _around(item.function, read)
        elif isinstance(item, MinLen):
            read = _at_least(item.min_length, read)
    return read


def _base(annotation: Any) -> Reader:
    """The reader of a type by its form: annotated, union, literal, list, map, or a class with a method `read`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return reader(inner[0], inner[1:])
    if origin in (Union, UnionType):
        return _either([reader(one) for one in inner if one is not NoneType], NoneType in inner)
    if origin is Literal:
        return _word(inner)
    if origin is list:
        return _items(reader(inner[0]))
    if origin in (dict, Mapping):
        return _entries(reader(inner[1]))
    read: Reader | None = getattr(annotation, "read", None)
    return read or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _before(function: Reader, read: Reader) -> Reader:
    return lambda value: read(function(value))


def _around(function: Callable[[Any, Reader], Any], read: Reader) -> Reader:
    return lambda value: function(value, read)


def _either(readers: Sequence[Reader], optional: bool) -> Reader:
    """A reader that tries several in order; where all refuse the value it raises the error of the last one."""

    def read(value: Any) -> Any:
        if value is None and optional:
            return None
        for one in readers[:-1]:
            try:
                return one(value)
            except SpecError:
                continue
        return readers[-1](value)

    return read


def _word(options: Sequence[str]) -> Reader:
    """A reader of one of a few words. Raises SpecError E205 for any other."""

    def read(value: Any) -> Any:
        if isinstance(value, (Items, MapNode)):
            what = "list" if isinstance(value, Items) else "map"
            help = did_you_mean("", options, kind="values")
            fail("E204", f"expected a word, found a {what}", place(value), help=help)
        word = value.value if isinstance(value, TextNode) else value
        if word not in options:
            help = did_you_mean(str(word), options, kind="values")
            fail("E205", f"invalid value `{word}`", place(value), help=help)
        return word

    return read


def entries(node: Any) -> Mapping[str, Any]:
    """The entries of a map node by key, in the written order. Raises SpecError E204 for a text or a list."""
    if isinstance(node, Mapping):
        return node
    if not isinstance(node, MapNode):
        fail("E204", f"expected a map, found a {'list' if isinstance(node, Items) else 'text'}", place(node))
    return {entry.key.value: entry.value for entry in node.entries}


def _items(read: Reader) -> Reader:
    """A reader of a list whose items `read` reads."""

    def read_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            fail("E204", f"expected a list, found a {'text' if isinstance(value, TextNode) else 'map'}", place(value))
        return collect(read, value)

    return read_all


def _entries(read: Reader) -> Reader:
    """A reader of a map whose values `read` reads."""

    def read_all(value: Any) -> dict[str, Any]:
        value = entries(value)
        return dict(zip(value, collect(read, [plain(one) for one in value.values()]), strict=True))

    return read_all


def collect(read: Reader, values: Sequence[Any]) -> list[Any]:
    """Read all values. Raises SpecError with the errors of all that were refused, each once."""
    made: list[Any] = []
    found: list[Diagnostic] = []
    for value in values:
        try:
            made.append(read(value))
        except SpecError as error:
            found.extend(error.diagnostics)
    # A SpecError may carry no diagnostics, when its cause was reported before: compare counts, not `found`.
    if len(made) < len(values):
        raise SpecError(dict.fromkeys(found))
    return made


def _at_least(count: int, read: Reader) -> Reader:
    """A reader that refuses lists with fewer than `count` items, with E204."""

    def read_all(value: Any) -> Any:
        if isinstance(value, list) and len(value) < count:
            fail("E204", f"expected a list of at least {count}, found {len(value)}", place(value))
        return read(value)

    return read_all
