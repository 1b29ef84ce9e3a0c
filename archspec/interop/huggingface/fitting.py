"""What follows from changed sizes: expressions that still hold, ranges of dims, the small copy, and counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.algebra.scalar import Ratio, Scalar
from archspec.analyses.cost import cost
from archspec.diagnostics import Collector, Span, SpecError
from archspec.interop.huggingface.changes import changed
from archspec.spec.constants import evaluate_constants
from archspec.spec.document import FileModel
from archspec.spec.elaborate import elaborate
from archspec.text import expr as text
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode


def fitted(tree: MapNode, base: MapNode, span: Span) -> MapNode:
    """The changed document made consistent, with its counts.

    Constants that the base writes as expressions stay expressions where they give the new number; others are given to
    the small copy as the base writes them. A dim whose typical size is beyond its largest gets the largest. Counts are
    those of the graph.

    Args:
        tree: the changed document.
        base: the document before the changes.
        span: what added parts are attributed to.

    Raises:
        SpecError: where the changed document is no spec, at the keys of the configuration that made it so.
    """
    tree = _in_order(_dims(_expressions(tree, base, span)))
    counted = cost(elaborate(tree, path=Path("imported.yaml")).graph)
    counts: Any = {"counts": {"parameters": counted.parameters, "trainable": counted.trainable}}
    return _in_order(changed(tree, counts, span))


def _expressions(tree: MapNode, base: MapNode, span: Span) -> MapNode:
    """The document with the base's expressions of constants where they hold."""
    new, old = _texts(tree.get("constants")), _texts(base.get("constants"))
    small = _texts(_section(tree, "reduced").get("constants"))
    for name, node in new.items():
        before = old.get(name)
        if before is None or before.value == node.value or not text.names(text.parse_expr(before)):
            continue
        if _value(before, new) == _value(node, new):
            tree = changed(tree, {f"constants.{name}": before.value}, span)
        elif name not in small:
            tree = changed(tree, {f"reduced.constants.{name}": before.value}, span)
    return tree


def _value(node: TextNode, constants: dict[str, TextNode]) -> Scalar | None:
    """The number of an expression over constants; None where it has none, which is reported elsewhere."""
    try:
        exprs = {name: text.parse_expr(one) for name, one in {**constants, "": node}.items()}
        return evaluate_constants(exprs, {}, Collector()).get("")
    except SpecError:
        return None


def _dims(tree: MapNode) -> MapNode:
    """The document with the typical size of each dim within its largest one."""
    dims, constants = tree.get("dims"), _texts(tree.get("constants"))
    if not isinstance(dims, MapNode):
        return tree
    entries = tuple(replace(entry, value=_within(entry.value, constants)) for entry in dims.entries)
    return _with(tree, "dims", replace(dims, entries=entries))


def _within(node: Node, constants: dict[str, TextNode]) -> Node:
    """A range `[min, typical, max]` with its typical size at most the largest."""
    if not isinstance(node, ListNode) or len(node.items) != 3:
        return node
    least, typical, most = node.items
    if not (isinstance(typical, TextNode) and isinstance(most, TextNode)):
        return node
    usual, largest = (_number(one, constants) for one in (typical, most))
    is_beyond = usual is not None and largest is not None and usual > largest
    return replace(node, items=(least, most, most)) if is_beyond else node


def _number(node: TextNode, constants: dict[str, TextNode]) -> int | None:
    value = _value(node, constants)
    found = value.constant() if isinstance(value, Ratio) else None
    return int(found) if found is not None and found.denominator == 1 else None


def _in_order(tree: MapNode) -> MapNode:
    """The document with its sections in the order of the language."""
    order = {name: number for number, name in enumerate(FileModel.keys())}
    entries = sorted(tree.entries, key=lambda entry: order.get(entry.key.value, len(order)))
    return replace(tree, entries=tuple(entries))


def _section(tree: MapNode, name: str) -> MapNode:
    found = tree.get(name)
    return found if isinstance(found, MapNode) else MapNode(entries=(), span=tree.span)


def _texts(node: Node | None) -> dict[str, TextNode]:
    entries = node.entries if isinstance(node, MapNode) else ()
    return {entry.key.value: entry.value for entry in entries if isinstance(entry.value, TextNode)}


def _with(tree: MapNode, name: str, value: Node) -> MapNode:
    entries = (Entry(key=one.key, value=value) if one.key.value == name else one for one in tree.entries)
    return replace(tree, entries=tuple(entries))
