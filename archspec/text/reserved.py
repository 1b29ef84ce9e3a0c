"""Words of the language that cannot name a constant, dim, input or node."""

from __future__ import annotations

from archspec.text import expr, pred, value

LAYER = "layer"
"""In numbers inside layers: the index of the layer."""
RESERVED = frozenset({*expr.FUNCTIONS, *value.FUNCTIONS, *pred.WORDS, LAYER, "none", "true", "false", "null"})
