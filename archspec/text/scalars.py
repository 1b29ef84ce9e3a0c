"""Parse plain scalars: bools, whole numbers, decimals and axes. The type of the field decides which."""

from __future__ import annotations

import re
from fractions import Fraction

from archspec.diagnostics.error import fail
from archspec.text.nodes import TextNode

_BOOLS = {"true": True, "false": False}
# What YAML 1.1 and people take for bools, for the help alone.
_MEANT = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false", "none": "false"}
_INT = r"-?(0|[1-9][0-9]*)"
_DECIMAL = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE](?P<exponent>[+-]?[0-9]+))?"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_MAX_CHARACTERS = 40
_MAX_EXPONENT = 300


def parse_bool(node: TextNode) -> bool:
    """Parse `true` or `false`. Raises SpecError E125 for any other text; YAML's `yes` and `on` are not accepted."""
    value = _BOOLS.get(node.value)
    if value is None:
        word = node.value.lower()
        meant = word if word in _BOOLS else _MEANT.get(word, "true` or `false")
        fail("E125", f"expected true or false, found `{_short(node.value)}`", node.span, help=f"write `{meant}`")
    return value


def parse_int(node: TextNode) -> int:
    """Parse a whole number, negative ones included. Raises SpecError E121 for any other text."""
    if not re.fullmatch(_INT, node.value) or len(node.value) > _MAX_CHARACTERS:
        help = "whole numbers are like `8` and `-1`, without leading zeros or a fraction"
        fail("E121", f"expected a whole number, found `{_short(node.value)}`", node.span, help=help)
    return int(node.value)


def parse_decimal(node: TextNode) -> Fraction:
    """Parse a number with or without fraction and exponent, exactly.

    Raises SpecError E121 for any other text, and for an exponent out of range.
    """
    found = re.fullmatch(_DECIMAL, node.value)
    if found is None or len(node.value) > _MAX_CHARACTERS:
        help = "numbers are like `8`, `0.1` and `1e-6`"
        fail("E121", f"expected a number, found `{_short(node.value)}`", node.span, help=help)
    if abs(int(found.group("exponent") or 0)) > _MAX_EXPONENT:
        fail("E121", "number out of range", node.span, help=f"exponents must be within {_MAX_EXPONENT}")
    return Fraction(node.value)


def parse_axis(node: TextNode) -> int | str:
    """Parse an axis: an integer, negative from the end, or a name. Whether the type has the axis is checked later.

    Raises SpecError E120 for any other text.
    """
    if re.fullmatch(_INT, node.value) and len(node.value) <= _MAX_CHARACTERS:
        return int(node.value)
    if not re.fullmatch(_NAME, node.value):
        help = "write a number (negative counts from the end) or the name of a dim"
        fail("E120", f"expected an axis, found `{_short(node.value)}`", node.span, help=help)
    return node.value


def _short(text: str) -> str:
    """The text, cut to a length that fits into a message."""
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."
