"""Layouts of a body alone, whose tensors have no prefix in its own files and one in those of larger models."""

from __future__ import annotations

from dataclasses import replace

from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode


def without_prefix(tree: MapNode, prefix: str) -> MapNode:
    """The document with `prefix` taken off the names in its layouts, and given as one that files may have."""
    weights = tree.get("weights")
    if not isinstance(weights, MapNode):
        return tree
    layouts = tuple(replace(one, value=_layout(one.value, prefix)) for one in weights.entries)
    entries = (
        replace(one, value=replace(weights, entries=layouts)) if one.key.value == "weights" else one
        for one in tree.entries
    )
    return replace(tree, entries=tuple(entries))


def _layout(node: Node, prefix: str) -> Node:
    """A layout with its names shortened; what is written first is what it writes out."""
    if not isinstance(node, MapNode):
        return node
    prefixes = ListNode(
        items=tuple(TextNode(value=one, span=node.span, quoted=not one) for one in ("", prefix)),
        span=node.span,
        flow=True,
    )
    entries = [replace(one, value=_shortened(one.value, prefix)) for one in node.entries if one.key.value != "prefix"]
    place = 1 if node.get("about") is not None else 0
    key = TextNode(value="prefix", span=node.span)
    return replace(node, entries=(*entries[:place], Entry(key=key, value=prefixes), *entries[place:]))


def _shortened(node: Node, prefix: str) -> Node:
    if isinstance(node, TextNode):
        return replace(node, value=node.value.removeprefix(prefix))
    if isinstance(node, ListNode):
        return replace(node, items=tuple(_shortened(item, prefix) for item in node.items))
    return replace(node, entries=tuple(replace(one, value=_shortened(one.value, prefix)) for one in node.entries))
