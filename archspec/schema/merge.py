"""Merge one map into another, as `extends` and `kinds` do."""

from __future__ import annotations

from archspec.diagnostics import Label, fail
from archspec.text.nodes import Entry, MapNode, Node, TextNode

_SHORT = frozenset({"norm", "final_norm", "memory_norm", "residual", "positions", "init", "scaling"})
"""Fields in which a bare word may replace a map: `residual: pre` is `{kind: pre}`."""
_SWITCHES = frozenset({"none", "true", "false"})


def merge(base: Node, over: Node, field: str = "") -> Node:
    """Merge `over` into `base`: maps merge key by key, texts and lists replace.

    A map with another `kind` replaces the base as a whole; one without a `kind` merges into the base, which may be a
    map or, for the fields that allow it, a bare word that gives the kind. `field` is the key of both in their maps.
    Keys keep the order of the base; new keys follow. The result has the span of `over`.

    Raises SpecError E206 where `over` changes the `block` of a node.
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
    """A bare kind expanded to the map `{kind: ...}`; other nodes, and the words that switch a part off, unchanged."""
    if not isinstance(base, TextNode) or base.value in _SWITCHES:
        return base
    key = TextNode(value="kind", span=base.span)
    return MapNode(entries=(Entry(key=key, value=base),), span=base.span, name=base.span)


def _replaces(base: MapNode, over: MapNode) -> bool:
    """Whether `over` gives another kind than `base`."""
    old, new = _text(base, "kind"), _text(over, "kind")
    return new is not None and old != new


def _keep_block(base: MapNode, over: MapNode) -> None:
    """Raise SpecError E206 if `over` changes the block of a node."""
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
