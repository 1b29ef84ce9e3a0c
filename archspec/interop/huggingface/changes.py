"""Changes of a document as data: values by path, merged by the rules of `extends`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspec.diagnostics import Source, Span
from archspec.schema.merge import merge
from archspec.text.builder import build
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode

Changes = Mapping[str, Any]
"""Values by path, `graph.states.attention.bias`: a text, a number, true or false; a map, merged into what stands; a
list, which replaces it; None, which removes it. A text in brackets or braces is YAML. Inside a map keys are names, dots
and all, as layouts need them."""


def changed(tree: MapNode, changes: Changes, span: Span) -> MapNode:
    """The document with changes; `span` is what calls for them, to which later messages about them point.

    Items of a list are numbered from 0. Raises KeyError for a path through a text or an item that is not there.
    """
    for path, change in changes.items():
        made = _put(tree, path.split("."), change, span, "")
        assert isinstance(made, MapNode)
        tree = made
    return tree


def number_text(value: int | float) -> str:
    """A number as the language writes it: 1e-5, 10000."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if exponent else mantissa


def _put(node: Node | None, keys: Sequence[str], change: Any, span: Span, name: str) -> Node | None:
    """The node with a change below the path `keys`; None where nothing is left. `name` is its own key."""
    if not keys:
        return _merged(node, change, span, name)
    if node is None and change is None:
        return None
    if isinstance(node, ListNode):
        number = int(keys[0])
        if number >= len(node.items):
            raise KeyError(f"`{name}` has no item {number}")
        made = _put(node.items[number], keys[1:], change, span, keys[0])
        items = (*node.items[:number], *([] if made is None else [made]), *node.items[number + 1 :])
        return replace(node, items=items)
    if not isinstance(node, MapNode):
        # A bare word, such as `positions: learned`, stands for a map where the language says so.
        node = _opened(node, span, name)
    made = _put(node.get(keys[0]), keys[1:], change, span, keys[0])
    result = _with(node, keys[0], made, span)
    return result if result.entries or made is not None else None


def _opened(node: Node | None, span: Span, name: str) -> MapNode:
    """The map that a bare word stands for; an empty one for what is not there or is switched off."""
    empty = MapNode(entries=(), span=span)
    if node is None or (isinstance(node, TextNode) and node.value == "none"):
        return empty
    opened = merge(node, empty, name)
    if not isinstance(opened, MapNode) or not opened.entries:
        raise KeyError(f"`{name}` is no map")
    return opened


def _with(node: MapNode, key: str, value: Node | None, span: Span) -> MapNode:
    """The map with a key set, in its place or behind the others; without it where the value is None."""
    if value is None:
        return replace(node, entries=tuple(entry for entry in node.entries if entry.key.value != key))
    if node.get(key) is None:
        return replace(node, entries=(*node.entries, Entry(key=TextNode(value=key, span=span), value=value)))
    entries = (replace(entry, value=value) if entry.key.value == key else entry for entry in node.entries)
    return replace(node, entries=tuple(entries))


def _merged(node: Node | None, change: Any, span: Span, name: str) -> Node | None:
    """A change laid over a node: a map is merged into it, anything else replaces it."""
    if change is None:
        return None
    if not isinstance(change, Mapping):
        made = node_of(change, span)
        return made if node is None else merge(node, made, name)
    # What is removed is left out of the map and taken away afterwards.
    over = node_of({key: value for key, value in change.items() if not _removes(value)}, span)
    result = over if node is None else merge(node, over, name)
    assert isinstance(result, MapNode)
    for key, value in change.items():
        if _removes(value):
            result = _with(result, key, _merged(result.get(key), value, span, key), span)
    return result


def _removes(change: Any) -> bool:
    """Whether a change takes something away, itself or inside."""
    return change is None or (isinstance(change, Mapping) and any(_removes(value) for value in change.values()))


def node_of(value: Any, span: Span) -> Node:
    """Python data as a node whose every part stands at `span`."""
    if isinstance(value, bool):
        return TextNode(value=str(value).lower(), span=span)
    if isinstance(value, int | float):
        return TextNode(value=number_text(value), span=span)
    if isinstance(value, str):
        return _moved(_parsed(value), span) if value.startswith(("[", "{")) else TextNode(value=value, span=span)
    if isinstance(value, Mapping):
        entries = (Entry(key=TextNode(value=key, span=span), value=node_of(one, span)) for key, one in value.items())
        return MapNode(entries=tuple(entries), span=span)
    return ListNode(items=tuple(node_of(one, span) for one in value), span=span, flow=True)


def _parsed(text: str) -> Node:
    """A text in brackets or braces as YAML."""
    node = build(Source("--import", text))
    assert node is not None
    return node


def _moved(node: Node, span: Span) -> Node:
    """The node with all its parts at one place."""
    if isinstance(node, TextNode):
        return replace(node, span=span)
    if isinstance(node, ListNode):
        return replace(node, span=span, items=tuple(_moved(item, span) for item in node.items))
    entries = (Entry(key=replace(entry.key, span=span), value=_moved(entry.value, span)) for entry in node.entries)
    return replace(node, span=span, entries=tuple(entries))
