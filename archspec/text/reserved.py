"""Words of the language that cannot name a constant, dim, input or node."""

from __future__ import annotations

from archspec.text import expr, pred, value

RESERVED = frozenset({*expr.FUNCTIONS, *value.FUNCTIONS, *pred.WORDS, "layer", "none", "true", "false", "null"})
