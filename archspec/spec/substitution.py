"""Substitute fields that hold words and maps into the body of a user-defined block.

Sizes, numbers and masks are names of their own in the body. A bool, an activation, a norm or an initialisation is a
piece of a block's fields: it is laid into the nodes before they are read, its numbers evaluated where it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from archspec.blocks.parts.context import Context
from archspec.blocks.parts.norm import chosen
from archspec.blocks.parts.norm_fields import DefaultNorm, NormFields
from archspec.diagnostics import Span
from archspec.schema.init import InitFields
from archspec.text.arithmetic import Number
from archspec.text.expr import Expr
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode

# Texts under these keys are prose or names, in which a word stays even if a field is called so.
_RAW = frozenset({"about", "block", "reuse"})


def substitute(node: Node, given: Mapping[str, Node]) -> Node:
    """The node with each unquoted text that names a field replaced by the value of the field.

    Where the value of `kind` is replaced by a map, all entries of the map take the place of `kind`.
    """
    if isinstance(node, TextNode):
        return node if node.quoted else given.get(node.value, node)
    if isinstance(node, ListNode):
        return replace(node, items=tuple(substitute(item, given) for item in node.items))
    entries = (new for entry in node.entries for new in _entries(entry, given))
    return replace(node, entries=tuple(entries))


def _entries(entry: Entry, given: Mapping[str, Node]) -> Iterator[Entry]:
    if entry.key.value in _RAW:
        yield entry
        return
    value = substitute(entry.value, given)
    if entry.key.value == "kind" and isinstance(value, MapNode) and isinstance(entry.value, TextNode):
        yield from value.entries
    else:
        yield replace(entry, value=value)


def written(cx: Context, held: Any, span: Span) -> Node:
    """The value of a field of sort bool, activation, norm or init as a node, its numbers evaluated in `cx`.

    The nodes get `span`: messages about them then point at the field.
    """
    if isinstance(held, (NormFields, DefaultNorm)):
        norm = chosen(cx, held)
        return _text("none", span) if norm is None else _map(cx, norm, span)
    if isinstance(held, InitFields):
        return _map(cx, held, span)
    if isinstance(held, bool):
        return _text("true" if held else "false", span)
    return _text("none" if held is None else held, span)


def settled(cx: Context, norm: NormFields) -> NormFields:
    """A norm with its numbers evaluated in `cx`, for a body that does not see the names in them."""
    numbers = {name: _number(cx, expr) for name in ("eps", "groups") if (expr := getattr(norm, name)) is not None}
    return norm.model_copy(update=numbers)


def _map(cx: Context, fields: NormFields | InitFields, span: Span) -> MapNode:
    entries = []
    for name in type(fields).model_fields:
        value = getattr(fields, name)
        if name in fields.given and value is not None:
            text = _plain(value) if isinstance(value, (bool, str)) else str(_number(cx, value))
            entries.append(Entry(key=_text(name, span), value=_text(text, span)))
    return MapNode(entries=tuple(entries), span=span)


def _plain(value: bool | str) -> str:
    return value if isinstance(value, str) else "true" if value else "false"


def _number(cx: Context, expr: Expr) -> Number:
    # By way of `repr`: it gives the shortest decimal of the float, such as 1e-5, instead of its exact binary value.
    return Number(value=Fraction(repr(cx.constant(expr))), span=expr.span)


def _text(text: str, span: Span) -> TextNode:
    return TextNode(value=text, span=span)
