"""Read the operations of a line, in the order they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Span, did_you_mean, fail
from archspec.layouts.operations import (
    AddOperation,
    ConcatOperation,
    Operation,
    RearrangeOperation,
    SplitOperation,
    StackOperation,
    TransposeOperation,
)
from archspec.layouts.pairing import Pairing
from archspec.record import record
from archspec.text.expr import parse_expr, size
from archspec.text.nodes import MapNode, Node, TextNode
from archspec.text.rearrange import RearrangePattern, parse_rearrange
from archspec.text.scalars import parse_bool, parse_decimal, parse_int


@record
class Written:
    """An operation as written; `build` makes it once the names it applies to are paired."""

    word: str
    build: Callable[[Pairing], Operation]


def read_operations(fields: MapNode | None, constants: Mapping[str, Scalar]) -> list[Written]:
    """Return the operations of a line in the written order.

    `fields` are the line's fields, None if it is only a name. Raises SpecError E120 or E121 for a pattern or an axis
    that does not parse, E204 for a value of the wrong kind, E511 for sizes that fit no pattern.
    """
    steps: list[Written] = []
    for entry in fields.entries if fields else ():
        word, node = entry.key.value, entry.value
        if word in OPERATIONS:
            if not isinstance(node, TextNode):
                fail("E204", f"expected text for `{word}`", node.span)
            build = OPERATIONS[word](node, fields.get("sizes") if fields else None, constants)
            if build is not None:
                steps.append(Written(word=word, build=build))
    sizes = fields.key("sizes") if fields else None
    if sizes is not None and not any(step.word == "rearrange" for step in steps):
        fail(
            "E511",
            "`sizes` without `rearrange`",
            sizes.span,
            help="add the `rearrange` pattern whose axes have these sizes",
        )
    return steps


Build = Callable[[Pairing], Operation]


def _rearrange(node: TextNode, sizes: Node | None, constants: Mapping[str, Scalar]) -> Build:
    """Read a `rearrange` pattern together with the line's `sizes`."""
    pattern = parse_rearrange(node)
    found = _sizes(sizes, pattern, constants)
    return lambda _: RearrangeOperation(pattern=pattern, sizes=found, span=node.span)


def _sizes(node: Node | None, pattern: RearrangePattern, constants: Mapping[str, Scalar]) -> dict[str, int]:
    """Read `sizes`: only axes of the pattern, each a constant of 1 or more. Raises SpecError E204 or E511."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        fail("E204", "expected a map from axes to sizes", node.span)
    found = {}
    for entry in node.entries:
        name, value = entry.key.value, entry.value
        if name not in pattern.names:
            help = did_you_mean(name, pattern.names, kind="axes")
            fail("E511", f"the pattern has no axis `{name}`", entry.key.span, help=help)
        if not isinstance(value, TextNode):
            fail("E204", "expected a size", value.span)
        found[name] = _whole(value, constants)
    return found


def _whole(node: TextNode, constants: Mapping[str, Scalar]) -> int:
    """Evaluate a size. Raises SpecError E511 if it is not constant, or less than 1."""
    value = size(parse_expr(node), constants).constant
    if value is None or value < 1:
        fail("E511", f"`{node.value}` is not a fixed size of 1 or more", node.span, help="use constants only")
    return value


def _transpose(node: TextNode, sizes: Node | None, constants: Mapping[str, Scalar]) -> Build | None:
    """Read `transpose`; None for `false`, which has no operation."""
    return (lambda _: TransposeOperation(span=node.span)) if parse_bool(node) else None


def _add(node: TextNode, sizes: Node | None, constants: Mapping[str, Scalar]) -> Build:
    """Read the number of `add`."""
    number = float(parse_decimal(node))
    return lambda _: AddOperation(number=number, span=node.span)


def _on_axis(
    make: Callable[[int, Pairing, Span], Operation], node: TextNode, sizes: Node | None, constants: Mapping[str, Scalar]
) -> Build:
    """Read an operation whose value is an axis; `make` builds it."""
    axis = parse_int(node)
    return lambda pairing: make(axis, pairing, node.span)


OPERATIONS: dict[str, Callable[[TextNode, Node | None, Mapping[str, Scalar]], Build | None]] = {
    "rearrange": _rearrange,
    "transpose": _transpose,
    "add": _add,
    "split": partial(_on_axis, lambda axis, _, span: SplitOperation(axis=axis, span=span)),
    "concat": partial(_on_axis, lambda axis, pairing, span: ConcatOperation(axis=axis, count=pairing.rows, span=span)),
    "stack": partial(
        _on_axis, lambda axis, pairing, span: StackOperation(axis=axis, indexed=pairing.indexed, span=span)
    ),
}
"""The reader of each operation, by its key."""
