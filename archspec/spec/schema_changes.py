"""The part of the JSON Schema for fields that override others: in files that extend another, and kinds of layers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
_SUFFIX = "Change"
_REFERENCE = re.compile(r'"#/\$defs/(\w+)"')


def changes(definitions: Mapping[str, Schema], *roots: str) -> dict[str, Schema]:
    """Copies of the roots and of all definitions that they refer to, without required fields; names end in `Change`."""
    found: dict[str, Schema] = {}
    left = list(roots)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = definitions[name]
            left += _REFERENCE.findall(json.dumps(definitions[name]))
    return {f"{name}{_SUFFIX}": change(schema) for name, schema in found.items()}


def change(schema: Any) -> Any:
    """A schema without required fields, which refers to definitions without them."""
    if isinstance(schema, list):
        return [change(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called `required` too: only a list under this key is the keyword.
    return {
        key: f"{value}{_SUFFIX}" if key == "$ref" else change(value)
        for key, value in schema.items()
        if key != "required" or not isinstance(value, list)
    }


def node_change(known: Mapping[str, str]) -> Schema:
    """The schema of a node that may override a node of another file: fields of the block that it names, if any.

    `known` gives the name of the definition of each block.
    """
    one_of_them = [
        {
            "if": {"properties": {"block": {"const": word}}, "required": ["block"]},
            "then": {"$ref": f"#/$defs/{definition}{_SUFFIX}"},
        }
        for word, definition in known.items()
    ]
    return {
        "description": "a node, or fields that override those of the node in the extended file",
        "anyOf": [
            {"type": ["string", "number"]},
            {"type": "array", "items": {"$ref": f"#/$defs/Node{_SUFFIX}"}, "minItems": 1},
            {"type": "object", "allOf": one_of_them},
        ],
    }
