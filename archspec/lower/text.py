"""Printer of expressions on one line, with the spacing of Ruff and Black."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable

# Precedences of Python's operators, from the loosest to the tightest.
_TERNARY, _OR, _AND, _NOT, _COMPARE, _BIT_OR, _BIT_XOR = range(7)
_BIT_AND, _SHIFT, _SUM, _PRODUCT, _SIGN, _POWER, _PRIMARY = range(7, 14)
_BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _PRODUCT),
    ast.MatMult: ("@", _PRODUCT),
    ast.Div: ("/", _PRODUCT),
    ast.FloorDiv: ("//", _PRODUCT),
    ast.Mod: ("%", _PRODUCT),
    ast.Pow: ("**", _POWER),
    ast.BitAnd: ("&", _BIT_AND),
    ast.BitXor: ("^", _BIT_XOR),
    ast.BitOr: ("|", _BIT_OR),
    ast.LShift: ("<<", _SHIFT),
    ast.RShift: (">>", _SHIFT),
}
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_UNARY: dict[type[ast.unaryop], tuple[str, int]] = {
    ast.USub: ("-", _SIGN),
    ast.UAdd: ("+", _SIGN),
    ast.Invert: ("~", _SIGN),
    ast.Not: ("not ", _NOT),
}


def flat(tree: ast.expr, binding: int = _TERNARY) -> str:
    """An expression on one line, in parentheses if it binds more loosely than `binding`, the precedence required."""
    text, own = _PRINTERS[type(tree)](tree)
    return text if own >= binding else f"({text})"


def operands(tree: ast.BinOp) -> list[tuple[str, str]]:
    """The operands of a chain of operators of one precedence, each with the operator before it ("" for the first).

    A power is not split into a chain, because it associates to the right.
    """
    sign, own = _BINARY[type(tree.op)]
    right = (sign, flat(tree.right, own + 1))
    left = tree.left
    if isinstance(left, ast.BinOp) and _BINARY[type(left.op)][1] == own and own != _POWER:
        return [*operands(left), right]
    return [("", flat(left, own)), right]


def argument(tree: ast.expr | ast.keyword) -> str:
    """Text of an argument of a call."""
    if not isinstance(tree, ast.keyword):
        return flat(tree)
    return f"**{flat(tree.value, _PRIMARY)}" if tree.arg is None else f"{tree.arg}={flat(tree.value)}"


def arguments(tree: ast.Call) -> list[ast.expr | ast.keyword]:
    """Arguments of a call in the order in which they are written: positional ones first."""
    return [*tree.args, *tree.keywords]


def elements(tree: ast.Tuple | ast.List | ast.Set) -> str:
    """Text of the elements, separated by commas and without brackets."""
    return ", ".join(flat(element) for element in tree.elts)


def _name(tree: ast.Name) -> tuple[str, int]:
    return tree.id, _PRIMARY


def _constant(tree: ast.Constant) -> tuple[str, int]:
    if isinstance(tree.value, str):
        return json.dumps(tree.value, ensure_ascii=False), _PRIMARY
    return tree.kind or repr(tree.value), _PRIMARY


def _joined(tree: ast.JoinedStr) -> tuple[str, int]:
    """An f-string whose fields are plain expressions; format specifications and conversions are not printed."""
    parts = [
        f"{{{flat(part.value)}}}" if isinstance(part, ast.FormattedValue) else json.dumps(_braced(part))[1:-1]
        for part in tree.values
    ]
    return f'f"{"".join(parts)}"', _PRIMARY


def _braced(part: ast.expr) -> str:
    assert isinstance(part, ast.Constant)
    return str(part.value).replace("{", "{{").replace("}", "}}")


def _attribute(tree: ast.Attribute) -> tuple[str, int]:
    owner = flat(tree.value, _PRIMARY)
    # A dot right after the digits of an integer would be read as its decimal point.
    if isinstance(tree.value, ast.Constant) and isinstance(tree.value.value, int | float):
        owner = f"({owner})"
    return f"{owner}.{tree.attr}", _PRIMARY


def _call(tree: ast.Call) -> tuple[str, int]:
    written = [argument(one) for one in arguments(tree)]
    # A generator that is the only argument needs no brackets of its own.
    if len(written) == 1 and isinstance(tree.args[0] if tree.args else None, ast.GeneratorExp):
        written = [written[0][1:-1]]
    return f"{flat(tree.func, _PRIMARY)}({', '.join(written)})", _PRIMARY


def _binary(tree: ast.BinOp) -> tuple[str, int]:
    sign, own = _BINARY[type(tree.op)]
    if own == _POWER:
        # A power binds tighter than a sign before it, and looser than a sign after it.
        left, right = flat(tree.left, _PRIMARY), flat(tree.right, _SIGN)
        is_close = not isinstance(tree.left, ast.UnaryOp) and _is_simple(tree.left) and _is_simple(tree.right)
        space = "" if is_close else " "
        return f"{left}{space}**{space}{right}", own
    # The other operators associate to the left: a right operand of the same precedence needs brackets.
    return f"{flat(tree.left, own)} {sign} {flat(tree.right, own + 1)}", own


def _unary(tree: ast.UnaryOp) -> tuple[str, int]:
    sign, own = _UNARY[type(tree.op)]
    # Black puts a power after a sign in brackets, although precedence does not require it.
    is_power = isinstance(tree.operand, ast.BinOp) and isinstance(tree.operand.op, ast.Pow)
    return f"{sign}{flat(tree.operand, _PRIMARY if is_power and own == _SIGN else own)}", own


def _logic(tree: ast.BoolOp) -> tuple[str, int]:
    word, own = ("and", _AND) if isinstance(tree.op, ast.And) else ("or", _OR)
    return f" {word} ".join(flat(value, own + 1) for value in tree.values), own


def _compare(tree: ast.Compare) -> tuple[str, int]:
    text = flat(tree.left, _COMPARE + 1)
    for sign, right in zip(tree.ops, tree.comparators, strict=True):
        text += f" {_COMPARISON[type(sign)]} {flat(right, _COMPARE + 1)}"
    return text, _COMPARE


def _ternary(tree: ast.IfExp) -> tuple[str, int]:
    return f"{flat(tree.body, _OR)} if {flat(tree.test, _OR)} else {flat(tree.orelse)}", _TERNARY


def _subscript(tree: ast.Subscript) -> tuple[str, int]:
    index = elements(tree.slice) if isinstance(tree.slice, ast.Tuple) and tree.slice.elts else flat(tree.slice)
    return f"{flat(tree.value, _PRIMARY)}[{index}]", _PRIMARY


def _slice(tree: ast.Slice) -> tuple[str, int]:
    ends = [tree.lower, tree.upper] + ([tree.step] if tree.step is not None else [])
    space = "" if all(end is None or _is_literal(end) for end in ends) else " "
    written = ["" if end is None else flat(end) for end in ends]
    text = written[0]
    for end in written[1:]:
        text += (space if text and not text.endswith(":") else "") + ":" + (space + end if end else "")
    return text, _PRIMARY


def _tuple(tree: ast.Tuple) -> tuple[str, int]:
    return f"({elements(tree)}{',' if len(tree.elts) == 1 else ''})", _PRIMARY


def _list(tree: ast.List) -> tuple[str, int]:
    return f"[{elements(tree)}]", _PRIMARY


def _dict(tree: ast.Dict) -> tuple[str, int]:
    pairs = [
        f"{flat(key)}: {flat(value)}" if key is not None else f"**{flat(value)}"
        for key, value in zip(tree.keys, tree.values, strict=True)
    ]
    return "{" + ", ".join(pairs) + "}", _PRIMARY


def _starred(tree: ast.Starred) -> tuple[str, int]:
    return f"*{flat(tree.value, _BIT_OR)}", _PRIMARY


def _generator(tree: ast.GeneratorExp) -> tuple[str, int]:
    return f"({_comprehension(tree)})", _PRIMARY


def _list_comprehension(tree: ast.ListComp) -> tuple[str, int]:
    return f"[{_comprehension(tree)}]", _PRIMARY


def _comprehension(tree: ast.GeneratorExp | ast.ListComp) -> str:
    loops = [f" for {_bare(one.target)} in {flat(one.iter, _OR)}" for one in tree.generators]
    return flat(tree.elt) + "".join(loops)


def _bare(tree: ast.expr) -> str:
    return elements(tree) if isinstance(tree, ast.Tuple) and len(tree.elts) > 1 else flat(tree)


def _is_simple(tree: ast.expr) -> bool:
    """Whether an operand of a power is simple enough for the operator to be written without spaces, as Black does."""
    if isinstance(tree, ast.UnaryOp) and not isinstance(tree.op, ast.Not):
        return _is_simple(tree.operand)
    if isinstance(tree, ast.Attribute):
        return isinstance(tree.value, ast.Name | ast.Attribute) and _is_simple(tree.value)
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Pow):
        return _is_simple(tree.left) and _is_simple(tree.right)
    return isinstance(tree, ast.Name) or (isinstance(tree, ast.Constant) and isinstance(tree.value, int | float))


def _is_literal(tree: ast.expr) -> bool:
    """Whether a bound of a slice is simple enough for the colon to be written without spaces, as Black does."""
    return _is_literal(tree.operand) if isinstance(tree, ast.UnaryOp) else isinstance(tree, ast.Name | ast.Constant)


_PRINTERS: dict[type[ast.expr], Callable[..., tuple[str, int]]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.JoinedStr: _joined,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic,
    ast.Compare: _compare,
    ast.IfExp: _ternary,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Dict: _dict,
    ast.Starred: _starred,
    ast.GeneratorExp: _generator,
    ast.ListComp: _list_comprehension,
}
