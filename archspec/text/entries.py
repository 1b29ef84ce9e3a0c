"""Checks on lists and maps: every value present, every key unique, no value split by a comma."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.source import Span
from archspec.text.nodes import Entry, Node, TextNode
from archspec.text.yaml_errors import glued_key

Refuse = Callable[[Diagnostic], None]
Pair = tuple[TextNode, Node]


def list_items(items: Sequence[Node], *, flow: bool, refuse: Refuse) -> tuple[Node, ...]:
    """The items of a list, without those reported to `refuse`.

    `flow` is true for a list in brackets, where a comma may have split one value into several items. `refuse` gets
    E116 for an item without a value and E117 for a split one.
    """
    kept: list[Node] = []
    position = 0
    while position < len(items):
        item = items[position]
        position += 1
        if _is_null(item):
            refuse(_no_value(item.span, "an item of this list has no value"))
        elif flow and isinstance(item, TextNode) and _is_open(item) and position < len(items):
            pieces = _texts(items[position:])
            count = _pieces(item, pieces)
            refuse(_split_value(item, pieces[count - 1] if count else item))
            position += count
        else:
            kept.append(item)
    return tuple(kept)


def map_entries(pairs: Sequence[Pair], *, flow: bool, refuse: Refuse) -> tuple[Entry, ...]:
    """The entries of a map in the written order, without those reported to `refuse`.

    `flow` is true for a map in braces, where a comma may have split one value into a value and keys without values.
    `refuse` gets E111 for a merge key, E114 for a duplicate key, E116 or E118 for a key without a value and E117 for
    a split value.
    """
    kept: dict[str, Entry] = {}
    position = 0
    while position < len(pairs):
        key, value = pairs[position]
        position += 1
        pieces = _keys_alone(pairs[position:]) if flow and _is_open(value) else []
        if pieces and isinstance(value, TextNode):
            count = _pieces(value, pieces)
            refuse(_split_value(value, pieces[count - 1]))
            position += count
            continue
        problem = _key_problem(key, kept) or _value_problem(key, value, flow=flow)
        if problem is None:
            kept[key.value] = Entry(key=key, value=value)
        else:
            refuse(problem)
    return tuple(kept.values())


def _key_problem(key: TextNode, kept: dict[str, Entry]) -> Diagnostic | None:
    """E111 for a merge key, E114 for a duplicate key; None for a valid key."""
    if key.value == "<<" and not key.quoted:
        help = "write the keys out, or use `extends`"
        return Diagnostic(code="E111", message="merge key `<<`", primary=Label(key.span), help=help)
    if key.value not in kept:
        return None
    return Diagnostic(
        code="E114",
        message=f"duplicate key `{key.value}`",
        primary=Label(key.span),
        secondary=(Label(kept[key.value].key.span, "first given here"),),
        help="keep one of the two",
    )


def _value_problem(key: TextNode, value: Node, *, flow: bool) -> Diagnostic | None:
    """E116 or E118 for a missing value; None for a value that is present."""
    if not _is_null(value):
        return None
    if flow and _stands_alone(key, value) and not key.quoted:
        glued = glued_key(key.span.source, key.span.start)
        if glued is not None:
            return glued
    place = value.span if value.span.text else key.span
    return _no_value(place, f"`{key.value}` has no value")


def _no_value(span: Span, message: str) -> Diagnostic:
    """E116 for a missing value. An empty value has no text to mark, so the character before it is marked."""
    if not span.text:
        span = Span(span.source, max(span.start - 1, 0), span.start)
    return Diagnostic(
        code="E116", message=message, primary=Label(span), help="write a value, or `none` to switch it off"
    )


def _split_value(opened: TextNode, last: TextNode) -> Diagnostic:
    """E117 for a value that a comma has split, from its first to its last piece."""
    span = opened.span.to(last.span)
    comma = span.start + span.text.index(",")
    return Diagnostic(
        code="E117",
        message="a comma split this value",
        primary=Label(span),
        secondary=(Label(Span(span.source, comma, comma + 1), "here"),),
        help=f'quote it, "{span.text}", or use block style',
    )


def _is_null(node: Node) -> bool:
    """Whether a node is a text that YAML reads as null."""
    return isinstance(node, TextNode) and not node.quoted and node.value in ("", "~", "null")


def _is_open(node: Node) -> bool:
    """Whether a text opens more brackets than it closes, so that a comma may have cut it."""
    return isinstance(node, TextNode) and not node.quoted and _balance(node.value) > 0


def _balance(text: str) -> int:
    """The number of opening brackets minus the number of closing ones."""
    return text.count("(") - text.count(")")


def _pieces(opened: TextNode, following: Sequence[TextNode]) -> int:
    """How many of the following texts belong to an opened value: up to the one that closes its bracket.

    If none closes it, only the first is counted.
    """
    balance = _balance(opened.value)
    for count, text in enumerate(following, 1):
        balance += _balance(text.value)
        if balance <= 0:
            return count
    return min(len(following), 1)


def _stands_alone(key: TextNode, value: Node) -> bool:
    """Whether a key was written without a colon: `{a, b}` gives two keys with null values."""
    between = key.span.source.text[key.span.end : value.span.start]
    return _is_null(value) and ":" not in between


def _keys_alone(pairs: Sequence[Pair]) -> list[TextNode]:
    """The keys without a colon at the start of `pairs`."""
    alone: list[TextNode] = []
    for key, value in pairs:
        if not _stands_alone(key, value):
            break
        alone.append(key)
    return alone


def _texts(items: Sequence[Node]) -> list[TextNode]:
    """The texts at the start of `items`, up to the first list or map."""
    texts: list[TextNode] = []
    for item in items:
        if not isinstance(item, TextNode):
            break
        texts.append(item)
    return texts
