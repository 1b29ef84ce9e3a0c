"""The part of the JSON Schema for the bodies of user-defined blocks, in which words may be names of their fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
_PREFIX = "Body"
_REFERENCE = re.compile(r'"#/\$defs/Body(\w+)"')
_FIELD_NAME = {"type": "string", "pattern": r"^[A-Za-z_]\w*$"}


def bodies(definitions: Mapping[str, Schema], *roots: str) -> dict[str, Schema]:
    """Definitions as they are inside bodies, of the roots and of all they refer to; each name begins with `Body`."""
    found: dict[str, Schema] = {}
    left = list(roots)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = in_body(definitions[name])
            left += _REFERENCE.findall(json.dumps(found[name]))
    return {f"{_PREFIX}{name}": schema for name, schema in found.items()}


def in_body(schema: Any, key: str = "") -> Any:
    """A schema in which each word may also be a name; but not the word that names a block."""
    if isinstance(schema, list):
        return [in_body(item) for item in schema]
    if not isinstance(schema, dict) or key in ("block", "not", "if"):
        return schema
    if "$ref" in schema:
        return {**schema, "$ref": schema["$ref"].replace("/$defs/", f"/$defs/{_PREFIX}")}
    if "enum" in schema:
        kept = {name: value for name, value in schema.items() if name == "description"}
        return {**kept, "anyOf": [{"enum": schema["enum"]}, _FIELD_NAME]}
    return {name: in_body(value, name) for name, value in schema.items()}
