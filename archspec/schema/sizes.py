"""The sort of a map of sizes by name: `{heads: 8}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from archspec.diagnostics import fail
from archspec.schema.plain import Plain
from archspec.schema.sorts import text_of
from archspec.text.expr import Expr, parse_expr
from archspec.text.nodes import MapNode


def _sizes(node: Any) -> dict[str, Expr]:
    """Parse a map of sizes. Raises SpecError E204 for a node that is not a map; defaults are already dicts."""
    if isinstance(node, dict):
        return node
    if not isinstance(node, MapNode):
        fail("E204", "expected a map of sizes", getattr(node, "node", node).span)
    return {entry.key.value: parse_expr(text_of(entry.value, "a size")) for entry in node.entries}


SizesField = Annotated[
    dict[str, Expr],
    Plain(_sizes),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["integer", "string"]}}),
]
