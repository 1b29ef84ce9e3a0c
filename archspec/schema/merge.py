"""Laying one map over another, as `extends` and `kinds` do."""

from __future__ import annotations

import re

from archspec.diagnostics import Label, fail
from archspec.text.nodes import Entry, MapNode, Node, TextNode

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_KINDS = {"none", "true", "false"}


def merge(base: Node, over: Node) -> Node:
    """`over` laid on `base`: maps merge key by key, texts and lists replace.

    A map whose `kind` differs is replaced whole; one that gives no `kind` merges into what stands, be it a map or a
    bare word that stands for a kind. Raises SpecError E206 where `block` changes.
    """
    if not isinstance(over, MapNode):
        return over
    base = _as_map(base, over)
    if not isinstance(base, MapNode) or _replaces(base, over):
        return over
    _keep_block(base, over)
    entries = {entry.key.value: entry for entry in base.entries}
    for entry in over.entries:
        old = entries.get(entry.key.value)
        value = entry.value if old is None else merge(old.value, entry.value)
        entries[entry.key.value] = Entry(key=entry.key, value=value)
    return MapNode(entries=tuple(entries.values()), span=over.span, flow=over.flow)


def _as_map(base: Node, over: MapNode) -> Node:
    """A bare kind as the map that it is short for, where the map over it gives options of a kind."""
    if not isinstance(base, TextNode) or not _WORD.fullmatch(base.value) or base.value in _NOT_KINDS:
        return base
    if {"kind", "block", "reuse", "type"} & set(over.keys()):
        return base
    key = TextNode(value="kind", span=base.span)
    return MapNode(entries=(Entry(key=key, value=base),), span=base.span)


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
            secondary=(Label(old.span, "it stands here"),),
            help="give the node another name",
        )


def _text(node: MapNode, key: str) -> str | None:
    found = node.get(key)
    return found.value if isinstance(found, TextNode) else None
