"""Python names for what the spec names freely."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container

ALWAYS_TAKEN = frozenset({"self", "torch", "nn", "F", "math", "Tensor", "NamedTuple", "Outputs", "annotations"})
"""Names that an emitted file may hold at its top level, whatever the spec."""


def identifier(text: str, fallback: str = "x") -> str:
    """`text` as an identifier: what cannot stand in one becomes `_`."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def camel(text: str) -> str:
    """`cross_attention` and `cross-attention` as `CrossAttention`; layer numbers and `*` are left out."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", text) if part]
    return "".join(part[:1].upper() + part[1:] for part in parts)


def class_name(text: str) -> str:
    """The name of a class for a spec or a module; `Model` stands before a digit."""
    name = camel(text) or "Model"
    return f"Model{name}" if name[0].isdigit() else name


def unused(name: str, taken: Container[str]) -> str:
    """`name`, or `name_2`, `name_3` and so on where that is taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
