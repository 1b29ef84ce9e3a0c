"""The names on our side of a layout, part by part: `states.layers.*`, then `attention.(q k v).weight` below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.diagnostics import Span
from archspec.record import record
from archspec.text.nodes import MapNode, Node, TextNode

_GROUP = re.compile(r"\(([^()]*)\)")
_WORD = re.compile(r"\S+")


@record
class Alternative:
    """One text of a part of a name; in a group it may have parts of its own: `(up.1 down)`.

    `span` is None for a part that an outer key writes.

    Where the part has text around its group, as in `(image text)_states`, the span is that of the whole part, and
    `group` are all its texts.
    """

    text: str
    span: Span | None = None
    group: tuple[str, ...] = ()

    def pieces(self) -> Iterator[tuple[str, Span | None]]:
        """The parts of the text, each with its place."""
        start = 0
        for text in self.text.split("."):
            here = self.span
            if here is not None and not self.group:
                here = Span(here.source, here.start + start, here.start + start + len(text))
            yield text, here
            start += len(text) + 1


Part = tuple[Alternative, ...]
"""The alternatives of one part of a name, between its dots."""


def ours(node: Node, outer: tuple[Part, ...] = ()) -> Iterator[tuple[Part, ...]]:
    """The parts of the whole name of each key of a map; those of the keys around it come first."""
    for entry in node.entries if isinstance(node, MapNode) else ():
        own = tuple(_parts(entry.key))
        yield (*outer, *own)
        inner = entry.value.get("map") if isinstance(entry.value, MapNode) else None
        if inner is not None:
            written = tuple(tuple(Alternative(text=one.text) for one in part) for part in own)
            yield from ours(inner, (*outer, *written))


def _parts(key: TextNode) -> Iterator[Part]:
    """The parts of a name; a dot inside a group does not end one."""
    start = depth = 0
    for place, character in enumerate(f"{key.value}."):
        depth += (character == "(") - (character == ")")
        if character == "." and depth <= 0:
            yield _alternatives(key, start, place)
            start = place + 1


def _alternatives(key: TextNode, start: int, end: int) -> Part:
    part = key.value[start:end]
    groups = list(_GROUP.finditer(part))
    if len(groups) != 1:
        return (Alternative(text=part, span=key.part(start, end)),)
    found = groups[0]
    words = [(one.group(), found.start(1) + one.start()) for one in _WORD.finditer(found[1])]
    if found.group() == part:
        return tuple(Alternative(text=word, span=key.part(start + at, start + at + len(word))) for word, at in words)
    texts = tuple(part[: found.start()] + word + part[found.end() :] for word, _ in words)
    return tuple(Alternative(text=text, span=key.part(start, end), group=texts) for text in texts)
