"""Checks on the keys of a map, made before its fields are read, while every key still has its span."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.schema.model import missing_field
from archspec.text.nodes import MapNode, Node, TextNode


def key_span(node: Node, key: str) -> Span:
    """The span of a key; the span of the whole node if the key was not written (a bare word gives its value)."""
    found = node.key(key) if isinstance(node, MapNode) else None
    return node.span if found is None else found.span


def misplaced(
    node: Node, data: dict[str, Any], kind: str | None, fields: Mapping[str, Collection[str]]
) -> Iterator[Diagnostic]:
    """Yield E241 for each field that does not apply to `kind`, and remove it from `data` so that it is not read.

    `fields` lists, by kind, the fields that only some kinds have; a field that it does not list applies to all.
    """
    some = {field for names in fields.values() for field in names}
    # An unknown kind is an error of its own, and tells nothing of the fields.
    for key in [key for key in data if key in some and kind in fields]:
        if key not in fields[kind or ""]:
            del data[key]
            takers = ", ".join(f"`{name}`" for name, names in fields.items() if key in names)
            help = f"remove it: it belongs to {takers}"
            yield _error("E241", f"`{key}` does not apply to `{kind}`", key_span(node, key), help)


def missing(node: Node, data: Mapping[str, Any], key: str, help: str | None = None) -> Iterator[Diagnostic]:
    """Yield E203 if `data` lacks the field `key`; it points at the `kind` that requires it if the map has one."""
    if key not in data:
        kind = node.get("kind") if isinstance(node, MapNode) else None
        yield missing_field(key, node if kind is None else kind, help)


def word(value: Any) -> str | None:
    """The text of a raw field; None for a list, a map or a missing field."""
    return value.value if isinstance(value, TextNode) else None


def kind_of(value: Any) -> str | None:
    """The kind of a raw field, written as `{kind: K, ...}` or as the bare word K; None if it gives none."""
    return word(value.get("kind") if isinstance(value, MapNode) else value)


def _error(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    return Diagnostic(code=code, message=message, primary=Label(span), help=help)
