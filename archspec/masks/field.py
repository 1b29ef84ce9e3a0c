"""The field type for masks."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated

from archspec.masks.registry import atoms
from archspec.schema.sorts import sort
from archspec.text.mask import MaskSyntax, parse_mask
from archspec.text.nodes import TextNode

# A context variable, because `_parse` is called with the text node alone.
MASK_FIELDS: ContextVar[frozenset[str]] = ContextVar("MASK_FIELDS", default=frozenset())
"""Names of the mask fields of the user-defined block whose body is being read."""


def _parse(node: TextNode) -> MaskSyntax:
    return parse_mask(node, atoms(), MASK_FIELDS.get())


MaskField = Annotated[MaskSyntax, *sort(_parse, "a mask, such as `causal & key_valid(valid)`")]
