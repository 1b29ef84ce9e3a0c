"""Statements on lines of at most 88 columns, broken as Ruff and Black break them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from archspec.lower.text import argument, arguments, elements, flat, operands

WIDTH = 88
_STEP = "    "


def fits(line: str) -> bool:
    """Whether a line is short enough."""
    return len(line) <= WIDTH


def statement(before: str, tree: ast.expr, after: str = "", indent: str = "") -> list[str]:
    """Lines of a statement: `before` (`x = `, `return `), the expression, `after` (`:`)."""
    whole = f"{indent}{before}{_unbracketed(tree)}{after}"
    if fits(whole):
        return [whole]
    if isinstance(tree, ast.Call) and arguments(tree) and _is_path(tree.func):
        return _call(before, tree, after, indent)
    if isinstance(tree, ast.Tuple | ast.List) and tree.elts:
        opening, closing = ("(", ")") if isinstance(tree, ast.Tuple) else ("[", "]")
        return bracketed(f"{before}{opening}", list(tree.elts), f"{closing}{after}", indent)
    last = _last_call(tree)
    if last is not None:
        head = flat(tree)[: -len(_closing(last))]
        if fits(indent + before + head):
            return bracketed(before + head, arguments(last), f"){after}", indent)
    return _parenthesised(before, tree, after, indent)


def bracketed(
    opening: str, items: Sequence[ast.expr | ast.keyword], closing: str, indent: str, *, trailing: str = ","
) -> list[str]:
    """Items between brackets: all on one line if they fit, else one a line."""
    inner = indent + _STEP
    if len(items) == 1 and isinstance(items[0], ast.GeneratorExp):
        joined = flat(items[0])[1:-1]
    else:
        joined = ", ".join(argument(item) for item in items)
    if fits(inner + joined):
        return [indent + opening, inner + joined, indent + closing]
    lines = [indent + opening]
    for item in items:
        if isinstance(item, ast.keyword):
            lines += statement(f"{item.arg}=", item.value, trailing, inner)
        else:
            lines += statement("", item, trailing, inner)
    return [*lines, indent + closing]


def signature(opening: str, parameters: Sequence[str], closing: str, indent: str) -> list[str]:
    """Lines of a `def`: `opening` up to its parenthesis, the parameters, `closing` after them."""
    inner = indent + _STEP
    joined = ", ".join(parameters)
    if fits(f"{indent}{opening}{joined}{closing}"):
        return [f"{indent}{opening}{joined}{closing}"]
    if fits(inner + joined):
        return [indent + opening, inner + joined, indent + closing]
    return [indent + opening, *(f"{inner}{parameter}," for parameter in parameters), indent + closing]


def _unbracketed(tree: ast.expr) -> str:
    return elements(tree) if isinstance(tree, ast.Tuple) and len(tree.elts) > 1 else flat(tree)


def _call(before: str, tree: ast.Call, after: str, indent: str) -> list[str]:
    return bracketed(f"{before}{flat(tree.func)}(", arguments(tree), f"){after}", indent)


def _is_path(tree: ast.expr) -> bool:
    """Whether nothing in front of the call's own brackets can be broken."""
    if isinstance(tree, ast.Attribute):
        return _is_path(tree.value)
    if isinstance(tree, ast.Subscript):
        return _is_path(tree.value) and isinstance(tree.slice, ast.Constant)
    return isinstance(tree, ast.Name)


def _last_call(tree: ast.expr) -> ast.Call | None:
    """The call that ends the expression, where it is the operand of one operator or the end of a short chain."""
    if isinstance(tree, ast.BinOp) and len(operands(tree)) == 2:
        tree = tree.right
    elif not isinstance(tree, ast.Call) or _calls_before(tree) > 1:
        return None
    return tree if isinstance(tree, ast.Call) and arguments(tree) else None


def _calls_before(tree: ast.expr) -> int:
    if isinstance(tree, ast.Call):
        return _calls_before(tree.func)
    if isinstance(tree, ast.Attribute):
        return _calls_before(tree.value) + isinstance(tree.value, ast.Call)
    return 0


def _closing(tree: ast.Call) -> str:
    return f"{', '.join(argument(one) for one in arguments(tree))})"


def _parenthesised(before: str, tree: ast.expr, after: str, indent: str) -> list[str]:
    inner = indent + _STEP
    opening, closing = f"{indent}{before}(", f"{indent}){after}"
    if fits(inner + flat(tree)) or not isinstance(tree, ast.BinOp):
        return [opening, inner + flat(tree), closing]
    parts = [f"{inner}{sign} {text}".replace(f"{inner} ", inner, 1) for sign, text in operands(tree)]
    return [opening, *parts, closing]
