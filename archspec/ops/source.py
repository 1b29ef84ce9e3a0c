"""Python source as text: parentheses where an operator would bind wrongly."""

from __future__ import annotations

import ast

_LOOSE = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda, ast.Starred)


def operand(source: str) -> str:
    """`source`, in parentheses unless it is a name, a literal, a call, an attribute or an index."""
    return f"({source})" if isinstance(ast.parse(source, mode="eval").body, _LOOSE) else source


def call(function: str, *arguments: str, **keywords: str | None) -> str:
    """Source of a call; keywords given as None are left out."""
    parts = [*arguments, *(f"{key}={text}" for key, text in keywords.items() if text is not None)]
    return f"{function}({', '.join(parts)})"
