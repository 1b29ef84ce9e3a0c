"""The outline of a document: its sections, and the names in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from archspec.diagnostics import Span
from archspec.editing.places import Extent
from archspec.editing.state import State
from archspec.record import record
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode

Kind = Literal["section", "constant", "dim", "input", "node", "output", "block", "field", "rule", "layout", "part"]
_KINDS: dict[str, Kind] = {
    "constants": "constant",
    "dims": "dim",
    "inputs": "input",
    "graph": "node",
    "outputs": "output",
    "blocks": "block",
    "fields": "field",
    "weights": "layout",
}
_MOST_DETAIL = 80


@record(eq=False)
class Item:
    """One line of the outline: a name, what stands there, its whole text and that of its name, and what is inside."""

    name: str
    detail: str
    kind: Kind
    extent: Extent
    selection: Extent
    inside: tuple[Item, ...] = ()


def outline(state: State) -> tuple[Item, ...]:
    """The outline of the last text that parsed, without what has changed since."""
    own = None if state.read is None else state.read.own
    if own is None:
        return ()
    return tuple(_items(state, own.entries, "section"))


def _items(state: State, entries: tuple[Entry, ...], kind: Kind) -> Iterator[Item]:
    for entry in entries:
        yield from _item(state, entry.key.value, entry.key.span, entry.value, kind)


def _item(state: State, name: str, at: Span, node: Node, kind: Kind) -> Iterator[Item]:
    selection = state.extent(at)
    whole = state.extent(at.to(node.span))
    if selection is not None and whole is not None:
        inside = tuple(_inside(state, name, node, kind))
        yield Item(name=name, detail=_detail(node), kind=kind, extent=whole, selection=selection, inside=inside)


def _inside(state: State, name: str, node: Node, kind: Kind) -> Iterator[Item]:
    if kind == "section" and name == "rules" and isinstance(node, ListNode):
        for item in node.items:
            word = item.entries[0].key if isinstance(item, MapNode) and item.entries else None
            if word is not None and isinstance(item, MapNode):
                yield from _item(state, word.value, word.span, item.entries[0].value, "rule")
    elif kind == "node" and isinstance(node, ListNode):
        for number, item in enumerate(node.items):
            yield from _item(state, f"{name}.{number}", item.span, item, "part")
    elif kind == "block" and isinstance(node, MapNode):
        for entry in node.entries:
            if entry.key.value in _KINDS and isinstance(entry.value, MapNode):
                yield from _items(state, entry.value.entries, _KINDS[entry.key.value])
    elif kind == "section" and name in _KINDS and isinstance(node, MapNode):
        yield from _items(state, node.entries, _KINDS[name])


def _detail(node: Node) -> str:
    """A text as it is, or what a node is made of."""
    if isinstance(node, TextNode):
        line = node.value.partition("\n")[0]
        return line if len(line) <= _MOST_DETAIL else f"{line[: _MOST_DETAIL - 3]}..."
    if isinstance(node, ListNode):
        words = [_detail(item) for item in node.items]
        return ", ".join(word for word in words if word)[:_MOST_DETAIL]
    word = node.get("block") or node.get("reuse") or node.get("type") or node.get("kind")
    return word.value if isinstance(word, TextNode) else ""
