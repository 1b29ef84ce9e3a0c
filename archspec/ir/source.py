"""Python source as text, with parentheses where an operator would bind wrongly."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.ir.op import Emitter

_LOOSE = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda, ast.Starred)


def operand(source: str) -> str:
    """`source`, in parentheses unless it is a name, a literal, a call, an attribute or an index.

    Raises SyntaxError for text that is no expression.
    """
    return f"({source})" if isinstance(ast.parse(source, mode="eval").body, _LOOSE) else source


def call(function: str, *arguments: str, **keywords: str | None) -> str:
    """Source of a call; keywords given as None are left out."""
    parts = [*arguments, *(f"{key}={text}" for key, text in keywords.items() if text is not None)]
    return f"{function}({', '.join(parts)})"


def named(e: Emitter, hint: str, source: str) -> str:
    """`source` if it is a name or an attribute, else a new variable that holds it: for operands used more than once."""
    return source if source.replace(".", "").isidentifier() else e.assign(hint, source)


def literal(value: float) -> str:
    """A number in its usual short form: `1e-5`, `0.1`, `10000`."""
    # `:g` keeps six digits: it is only used where the text reads back as the same number.
    short = f"{value:g}"
    text = short if float(short) == value and abs(value) < 1e6 else repr(value)
    return text.replace("e-0", "e-").removesuffix(".0")


def index(axis: int, inside: str) -> str:
    """An index expression for one axis: `[:, 0]`, or for an axis counted from the end `[..., 0, :]`."""
    parts = [":"] * axis + [inside] if axis >= 0 else ["...", inside] + [":"] * (-axis - 1)
    return f"[{', '.join(parts)}]"


def sizes(values: Sequence[int]) -> str:
    """A size for each axis, or one number where all are equal."""
    return str(values[0]) if len(set(values)) == 1 else str(tuple(values))
