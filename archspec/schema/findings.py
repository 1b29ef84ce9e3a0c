"""Checks on the keys of a map, made before its fields are read, while every key still has its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any

from archspec.diagnostics import Diagnostic, Label, Span, SpecError
from archspec.text.nodes import MapNode, Node, TextNode
from archspec.text.scalars import parse_decimal


def key_span(node: Node, key: str) -> Span:
    """Where a key stands; the whole node where the key was not written (a bare word stands for it)."""
    found = node.key(key) if isinstance(node, MapNode) else None
    return node.span if found is None else found.span


def unsupported(node: Node, data: dict[str, Any], off: Mapping[str, str]) -> Iterator[Diagnostic]:
    """Refuse, by name, each field of `off` that is given and not off; it is taken out of `data`."""
    for key, word in off.items():
        if key in data and not _is(data[key], word):
            del data[key]
            yield _error("E240", f"`{key}` is not supported yet", key_span(node, key))


def misplaced(
    node: Node, data: dict[str, Any], kind: str | None, fields: Mapping[str, Collection[str]]
) -> Iterator[Diagnostic]:
    """Refuse each field that belongs to other kinds alone; `fields` lists, by kind, those that some kinds have."""
    some = {field for names in fields.values() for field in names}
    for key in [key for key in data if key in some and kind in fields]:
        if key not in fields[kind or ""]:
            del data[key]
            yield _error("E241", f"`{key}` does not apply to `{kind}`", key_span(node, key))


def missing(node: Node, data: Mapping[str, Any], key: str, help: str | None = None) -> Iterator[Diagnostic]:
    """Demand a field."""
    if key not in data:
        yield _error("E203", f"missing field `{key}`", node.span, help)


def word(value: Any) -> str | None:
    """The text of a raw field; None for a list, a map, or nothing."""
    return value.value if isinstance(value, TextNode) else None


def kind_of(value: Any) -> str | None:
    """The kind of a raw field of the form `{kind: K, ...}`, or K alone."""
    return word(value.get("kind") if isinstance(value, MapNode) else value)


def _is(value: Any, off: str) -> bool:
    text = word(value)
    return text is not None and (text == off or _number(value) == _number_of(off))


def _number(node: TextNode) -> Fraction | None:
    try:
        return parse_decimal(node)
    except SpecError:
        return None


def _number_of(text: str) -> Fraction | str:
    return Fraction(text) if text.isdigit() else text


def _error(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    return Diagnostic(code=code, message=message, primary=Label(span), help=help)
