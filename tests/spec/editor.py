"""How an editor reads a file and checks it by the JSON Schema."""

from __future__ import annotations

import re
from typing import Any

from archspec.spec.schema import json_schema
from archspec.text.nodes import MapNode, Node, TextNode

SCHEMA = json_schema()
_TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}


def data_of(node: Node) -> Any:
    """A node as an editor sees it: YAML's own reading of plain words."""
    if isinstance(node, MapNode):
        return {entry.key.value: data_of(entry.value) for entry in node.entries}
    if not isinstance(node, TextNode):
        return [data_of(item) for item in node.items]
    if not node.quoted and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", node.value):
        return float(node.value) if re.search(r"[.e]", node.value) else int(node.value)
    return {"true": True, "false": False}.get(node.value, node.value)


def is_type(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and not (isinstance(value, bool) and name in ("number", "integer"))  # type: ignore[arg-type]


def fits(value: Any, schema: Any) -> bool:
    """As much of JSON Schema as the language's schema uses."""
    if isinstance(schema, bool):
        return schema
    checks = {
        "$ref": lambda: fits(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]),
        "type": lambda: (
            any(is_type(value, one) for one in [schema["type"]] if isinstance(one, str))
            or (isinstance(schema["type"], list) and any(is_type(value, one) for one in schema["type"]))
        ),
        "anyOf": lambda: any(fits(value, one) for one in schema["anyOf"]),
        "allOf": lambda: all(fits(value, one) for one in schema["allOf"]),
        "not": lambda: not fits(value, schema["not"]),
        "if": lambda: fits(value, schema["then"]) if fits(value, schema["if"]) else True,
        "const": lambda: value == schema["const"],
        "enum": lambda: value in schema["enum"],
        "pattern": lambda: not isinstance(value, str) or bool(re.search(schema["pattern"], value)),
    }
    return all(check() for key, check in checks.items() if key in schema) and fits_inside(value, schema)


def fits_inside(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, list):
        size = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return size and all(fits(item, schema.get("items", True)) for item in value)
    if not isinstance(value, dict):
        return True
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    size = schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    required = all(name in value for name in schema.get("required", []))
    return size and required and all(fits(item, known.get(name, others)) for name, item in value.items())
