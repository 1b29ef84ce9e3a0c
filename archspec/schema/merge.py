"""Laying one map over another, as `extends` and `kinds` do."""

from __future__ import annotations

from archspec.diagnostics import Label, fail
from archspec.text.nodes import Entry, MapNode, Node, TextNode

_SHORT = frozenset({"norm", "final_norm", "memory_norm", "residual", "positions", "init", "scaling"})
"""Fields of which a bare word may stand for a map: `residual: pre` is `{kind: pre}`."""
_SWITCHES = frozenset({"none", "true", "false"})


def merge(base: Node, over: Node, field: str = "") -> Node:
    """`over` laid on `base`: maps merge key by key, texts and lists replace.

    A map whose `kind` differs is replaced whole; one that gives no `kind` merges into what stands, be it a map or a
    bare word that stands for a kind. `field` is the key that both stand under. Raises SpecError E206 where `block`
    changes.
    """
    if not isinstance(over, MapNode):
        return over
    base = _as_map(base) if field in _SHORT else base
    if not isinstance(base, MapNode):
        return over
    _keep_block(base, over)
    if _replaces(base, over):
        return over
    entries = {entry.key.value: entry for entry in base.entries}
    for entry in over.entries:
        old = entries.get(entry.key.value)
        value = entry.value if old is None else merge(old.value, entry.value, entry.key.value)
        entries[entry.key.value] = Entry(key=entry.key, value=value)
    return MapNode(entries=tuple(entries.values()), span=over.span, flow=over.flow, name=over.name)


def _as_map(base: Node) -> Node:
    """A bare kind as the map that it is short for."""
    if not isinstance(base, TextNode) or base.value in _SWITCHES:
        return base
    key = TextNode(value="kind", span=base.span)
    return MapNode(entries=(Entry(key=key, value=base),), span=base.span, name=base.span)


def _replaces(base: MapNode, over: MapNode) -> bool:
    old, new = _text(base, "kind"), _text(over, "kind")
    return new is not None and old != new


def _keep_block(base: MapNode, over: MapNode) -> None:
    old, new = base.get("block"), over.get("block")
    if isinstance(old, TextNode) and isinstance(new, TextNode) and old.value != new.value:
        fail(
            "E206",
            f"`block` changes from `{old.value}` to `{new.value}`",
            new.span,
            secondary=(Label(old.span, "the original is here"),),
            help="give the node another name",
        )


def _text(node: MapNode, key: str) -> str | None:
    found = node.get(key)
    return found.value if isinstance(found, TextNode) else None
