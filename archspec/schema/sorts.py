"""The sorts of fields. Each is an annotated type whose validator reads a node of the text layer.

Validators raise SpecError with a span; `archspec.schema.reading` collects the errors, so that all independent ones are
reported together.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import WithJsonSchema

from archspec.diagnostics import fail
from archspec.schema.plain import Plain
from archspec.schema.reading import Items
from archspec.text.expr import Expr, parse_expr
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.path import Path, parse_path
from archspec.text.pred import PredExpr, parse_pred
from archspec.text.scalars import parse_bool, parse_decimal
from archspec.text.types import TypeSyntax, parse_type
from archspec.text.value import ValueExpr, parse_value


def text_of(node: Node | Items, what: str) -> TextNode:
    """The node, checked to be a text. Raises SpecError E204 for a list or a map; `what` names what was expected."""
    node = node.node if isinstance(node, Items) else node
    if not isinstance(node, TextNode):
        found = "a map" if isinstance(node, MapNode) else "a list"
        fail("E204", f"expected {what}, found {found}", node.span, help=_plainly(node))
    return node


def _plainly(node: Node) -> str | None:
    """The help for a single text that was written in brackets; None for other nodes."""
    inner = node.items if isinstance(node, ListNode) else ()
    return f"write `{inner[0].value}` without brackets" if len(inner) == 1 and isinstance(inner[0], TextNode) else None


T = TypeVar("T")


def sort(parse: Callable[[TextNode], T], what: str) -> tuple[Plain, WithJsonSchema]:
    """The annotations of a field that holds a text of one sort.

    `parse` reads the text and raises SpecError; `what` names the sort in messages and in the JSON Schema.
    """

    def validate(node: Any) -> T:
        return parse(text_of(node, what))

    return Plain(validate), WithJsonSchema({"type": ["string", "number", "boolean"], "description": what})


ExprField = Annotated[Expr, *sort(parse_expr, "an expression over constants and dims")]
SIZE = "size"
"""Marks a field whose expression is a size: a whole number, at least 1."""
SizeField = Annotated[ExprField, SIZE]
ValueField = Annotated[ValueExpr, *sort(parse_value, "a value: a name, a path or an elementwise expression")]
PredField = Annotated[PredExpr, *sort(parse_pred, "a predicate, such as `valid` or `ids != 0`")]
PathField = Annotated[Path, *sort(parse_path, "a path, such as `source.table`")]
TypeField = Annotated[TypeSyntax, *sort(parse_type, "a type, such as `float[batch, d_model]`")]
BoolField = Annotated[bool, *sort(parse_bool, "true or false")]
DecimalField = Annotated[Decimal, *sort(parse_decimal, "a number")]
TextField = Annotated[str, *sort(lambda node: node.value, "a text")]
