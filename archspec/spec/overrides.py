"""The option `--set`: change constants by name and other fields by path; spans then point at the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from archspec.diagnostics import Label, Source, Span, did_you_mean, fail
from archspec.record import record
from archspec.schema.merge import merge
from archspec.spec.document import FileModel
from archspec.text.builder import build
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode
from archspec.text.reader import check_characters

NAME = "--set"


@record
class Override:
    """One `NAME=VALUE` or `a.b.c=VALUE`: the keys of the path, each with its span, and the value."""

    keys: tuple[TextNode, ...]
    value: Node

    @property
    def path(self) -> tuple[str, ...]:
        """The names on the way from the top of the file; a single name is a constant."""
        names = tuple(key.value for key in self.keys)
        return ("constants", *names) if len(names) == 1 else names

    @property
    def span(self) -> Span:
        """Where the path is written."""
        return self.keys[0].span.to(self.keys[-1].span)


def parse_overrides(given: Mapping[str, str] | Sequence[str]) -> tuple[Override, ...]:
    """Parse overrides, given as a mapping or as texts `NAME=VALUE`, in order.

    Raises SpecError E214 for a text that is not `NAME=VALUE`, and for an override that a later one undoes, E116 for an
    empty value, E1xx for errors of a value.
    """
    texts = [f"{name}={value}" for name, value in given.items()] if isinstance(given, Mapping) else given
    # One text is a sequence of texts to Python, and would be read character by character.
    texts = [texts] if isinstance(texts, str) else texts
    overrides = tuple(_parse(str(text)) for text in texts)
    for number, override in enumerate(overrides):
        _check_undoes_none(override, overrides[:number])
    return overrides


def _check_undoes_none(override: Override, before: Sequence[Override]) -> None:
    """Raise SpecError E214 if an earlier override is of the same path or of one below it: it would have no effect."""
    path = override.path
    for other in before:
        if other.path[: len(path)] != path:
            continue
        again = len(other.path) == len(path)
        name, below = ".".join(path), ".".join(other.path)
        found = f"`{name}` is set twice" if again else f"`{name}` replaces `{below}`, which is set before it"
        help = "remove one of them" if again else "set the longer path last"
        fail(
            "E214",
            found,
            override.span,
            secondary=[Label(other.span, "first set here" if again else "set here")],
            help=help,
        )


def apply_overrides(tree: MapNode, overrides: Sequence[Override]) -> MapNode:
    """The tree with each override applied in order; the tree itself does not change.

    A single name is a constant; constants are those that the file has. Maps that are missing on a path are created.

    Raises SpecError E201 for an unknown constant, E214 for a path that starts with a node, that goes into a text, or
    that names an item that a list does not have.
    """
    for override in overrides:
        keys = override.keys
        if override.path[0] == "constants":
            _check_constant(tree, keys[0] if len(keys) == 1 else keys[1])
        if len(keys) == 1:
            keys = (TextNode(value="constants", span=keys[0].span), *keys)
        else:
            _check_section(tree, keys)
        tree = _in_map(tree, keys, override.value)
    return tree


def _parse(text: str) -> Override:
    """Parse one override. Raises SpecError E214 or E116."""
    source = Source(NAME, text)
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or any(not part.strip() for part in path.split(".")):
        fail("E214", "expected NAME=VALUE", source.span(0, len(text)), help="write `--set d_model=256`")
    if not value.strip():
        fail(
            "E116",
            f"`{path}` has no value",
            source.span(0, len(text)),
            help="write a value, or `none` to switch it off",
        )
    keys, start = [], 0
    for part in path.split("."):
        keys.append(TextNode(value=part.strip(), span=source.span(start, start + len(part))))
        start += len(part) + 1
    return Override(keys=tuple(keys), value=_value(source, start))


def _value(source: Source, start: int) -> Node:
    """The value of an override: YAML if it begins with a bracket, a brace or a quote, otherwise a text."""
    check_characters(source)
    text = source.text[start:]
    node = build(Source(source.name, text)) if text.lstrip().startswith(("[", "{", "'", '"')) else None
    if node is not None:
        return _moved(node, source, start)
    return TextNode(value=text.strip(), span=source.span(start, len(source.text)))


def _moved(node: Node, source: Source, by: int) -> Node:
    """The node with all spans moved by `by` characters into `source`."""
    span = Span(source, node.span.start + by, node.span.end + by)
    if isinstance(node, TextNode):
        return replace(node, span=span)
    if isinstance(node, ListNode):
        return replace(node, span=span, items=tuple(_moved(item, source, by) for item in node.items))
    entries = tuple(
        Entry(key=_moved_text(entry.key, source, by), value=_moved(entry.value, source, by)) for entry in node.entries
    )
    return replace(node, span=span, entries=entries)


def _moved_text(node: TextNode, source: Source, by: int) -> TextNode:
    return replace(node, span=Span(source, node.span.start + by, node.span.end + by))


def _check_constant(tree: MapNode, key: TextNode) -> None:
    """Raise SpecError E201 for a constant that the file does not have: a misspelt one would have no effect."""
    constants = tree.get("constants")
    names = constants.keys() if isinstance(constants, MapNode) else ()
    if key.value not in names:
        help = did_you_mean(key.value, names, kind="constants", limit=30)
        fail("E201", f"the file has no constant `{key.value}`", key.span, help=help)


def _check_section(tree: MapNode, keys: Sequence[TextNode]) -> None:
    """Raise SpecError E214 for a path that starts with a node: paths start with a section of the file."""
    graph, first = tree.get("graph"), keys[0]
    if first.value in FileModel.keys():  # noqa: SIM118
        return
    if isinstance(graph, MapNode) and first.value in graph.keys():  # noqa: SIM118
        path = ".".join(key.value for key in keys)
        fail("E214", f"`{first.value}` is a node, not a section", first.span, help=f"write `--set graph.{path}=...`")


def _put(node: Node | None, keys: Sequence[TextNode], value: Node) -> Node:
    """The node with the value at the path `keys` below it replaced or added."""
    if not keys:
        return value
    if node is None:
        node = MapNode(entries=(), span=keys[0].span)
    if isinstance(node, ListNode):
        return _in_list(node, keys, value)
    if isinstance(node, TextNode):
        node = _opened(node, keys[0])
    return _in_map(node, keys, value)


def _in_map(node: MapNode, keys: Sequence[TextNode], value: Node) -> MapNode:
    """The map with the value at the path `keys` replaced or added."""
    key = keys[0]
    made = _put(node.get(key.value), keys[1:], value)
    written = node.key(key.value)
    # The last key is marked on the command line; the keys above it are marked where the file writes them.
    entry = Entry(key=written if written is not None and len(keys) > 1 else key, value=made)
    if written is None:
        return replace(node, entries=(*node.entries, entry))
    return replace(node, entries=tuple(entry if old.key.value == key.value else old for old in node.entries))


def _in_list(node: ListNode, keys: Sequence[TextNode], value: Node) -> ListNode:
    """The list with an item changed. Raises SpecError E214 for an item that does not exist."""
    key = keys[0]
    if not key.value.isdecimal() or int(key.value) >= len(node.items):
        fail(
            "E214",
            f"item `{key.value}` does not exist in a list of {len(node.items)}",
            key.span,
            help="items are numbered from 0",
        )
    number = int(key.value)
    made = _put(node.items[number], keys[1:], value)
    return replace(node, items=(*node.items[:number], made, *node.items[number + 1 :]))


def _opened(node: TextNode, key: TextNode) -> MapNode:
    """The map that a bare word stands for; an empty one for `none`. Raises SpecError E214 for any other text."""
    if node.value == "none":
        return MapNode(entries=(), span=key.span)
    # Only `merge` knows which words are short for a map, so an empty map is laid over the word.
    opened = merge(node, MapNode(entries=(), span=node.span))
    if not isinstance(opened, MapNode) or opened.get("kind") is None:
        fail("E214", f"`{node.value}` is text and has no `{key.value}`", key.span, help="end the path at the text")
    return opened
