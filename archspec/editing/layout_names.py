"""The names on our side of a layout, part by part: `states.layers.*`, then `attention.(q k v).weight` below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.text.nodes import MapNode, Node, TextNode

Part = list[tuple[str, int]]
"""The alternatives of one part of a name, with their offsets in the key; -1 for one that an outer key writes."""
_GROUP = re.compile(r"[^\s()]+")


def ours(node: Node, outer: tuple[Part, ...] = ()) -> Iterator[tuple[TextNode, list[Part]]]:
    """Each key of a map with the parts of its whole name; those of the keys around it come first."""
    for entry in node.entries if isinstance(node, MapNode) else ():
        own = _parts(entry.key.value)
        yield entry.key, [*outer, *own]
        inner = entry.value.get("map") if isinstance(entry.value, MapNode) else None
        if inner is not None:
            written = tuple([(text, -1) for text, _ in part] for part in own)
            yield from ours(inner, (*outer, *written))


def _parts(key: str) -> list[Part]:
    """The parts of a name, between its dots; a part that is a group has several alternatives."""
    found: list[Part] = []
    start = depth = 0
    for place, character in enumerate(f"{key}."):
        depth += (character == "(") - (character == ")")
        if character == "." and depth <= 0:
            found.append(_alternatives(key[start:place], start))
            start = place + 1
    return found


def _alternatives(part: str, start: int) -> Part:
    """The texts of a group with their offsets; a part without a group, or with text around one, is one text."""
    if not (part.startswith("(") and part.endswith(")")) or "." in part:
        return [(part, start)]
    return [(one.group(), start + one.start()) for one in _GROUP.finditer(part)]
