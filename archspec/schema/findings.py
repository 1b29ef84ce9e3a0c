"""Checks on the keys of a map, made before its fields are read, while every key still has its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.schema.model import missing_field
from archspec.text.nodes import MapNode, Node, TextNode


def key_span(node: Node, key: str) -> Span:
    """Where a key stands; the whole node where the key was not written (a bare word stands for it)."""
    found = node.key(key) if isinstance(node, MapNode) else None
    return node.span if found is None else found.span


def misplaced(
    node: Node, data: dict[str, Any], kind: str | None, fields: Mapping[str, Collection[str]]
) -> Iterator[Diagnostic]:
    """Refuse each field that belongs to other kinds alone; `fields` lists, by kind, those that some kinds have."""
    some = {field for names in fields.values() for field in names}
    for key in [key for key in data if key in some and kind in fields]:
        if key not in fields[kind or ""]:
            del data[key]
            takers = ", ".join(f"`{name}`" for name, names in fields.items() if key in names)
            help = f"remove it: it belongs to {takers}"
            yield _error("E241", f"`{key}` does not apply to `{kind}`", key_span(node, key), help)


def missing(node: Node, data: Mapping[str, Any], key: str, help: str | None = None) -> Iterator[Diagnostic]:
    """Demand a field, at the kind that needs it where the map has one."""
    if key not in data:
        kind = node.get("kind") if isinstance(node, MapNode) else None
        yield missing_field(key, node if kind is None else kind, help)


def word(value: Any) -> str | None:
    """The text of a raw field; None for a list, a map, or nothing."""
    return value.value if isinstance(value, TextNode) else None


def kind_of(value: Any) -> str | None:
    """The kind of a raw field of the form `{kind: K, ...}`, or K alone."""
    return word(value.get("kind") if isinstance(value, MapNode) else value)


def _error(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    return Diagnostic(code=code, message=message, primary=Label(span), help=help)
