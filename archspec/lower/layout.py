"""Layout of statements on lines of at most 88 columns, broken as Ruff and Black break them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from archspec.lower.text import argument, arguments, elements, flat, operands

# The default width of Ruff and Black.
WIDTH = 88
_STEP = "    "


def fits(line: str) -> bool:
    """Whether a line has at most `WIDTH` columns."""
    return len(line) <= WIDTH


def statement(before: str, tree: ast.expr, after: str = "", indent: str = "") -> list[str]:
    """Lines of a statement.

    Args:
        before: the text before the expression, such as `x = ` or `return `.
        tree: the expression.
        after: the text after it, such as `:`.
        indent: the indentation of the lines.
    """
    # A tuple is written without brackets only after `=`, `return` or `in`, which end in a space.
    line = _unbracketed(tree) if before.endswith(" ") else flat(tree)
    if fits(f"{indent}{before}{line}{after}"):
        return [f"{indent}{before}{line}{after}"]
    if isinstance(tree, ast.Tuple | ast.List) and tree.elts:
        opening, closing = ("(", ")") if isinstance(tree, ast.Tuple) else ("[", "]")
        return one_a_line(f"{before}{opening}", list(tree.elts), f"{closing}{after}", indent)
    if isinstance(tree, ast.ListComp):
        return [f"{indent}{before}[", *_generator(tree, indent + _STEP), f"{indent}]{after}"]
    if isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Tuple) and _is_path(tree.value):
        return [f"{indent}{before}{flat(tree.value)}[", f"{indent}{_STEP}{elements(tree.slice)}", f"{indent}]{after}"]
    last = _last_call(tree)
    if last is not None:
        head = before + flat(tree)[: -len(_closing(last))]
        if fits(indent + head):
            return bracketed(head, arguments(last), f"){after}", indent)
    return _parenthesised(before, tree, after, indent)


def is_settled(before: str, tree: ast.expr, after: str = "", indent: str = "") -> bool:
    """Whether the lines of a statement are certain to be those of a formatter; if not, a part should become a variable.

    This is certain where there is one way to break: for calls, for chains of operators, and for a single operator or a
    chain of two calls that ends in a call. It is not where formatters choose between several ways.
    """
    lines = statement(before, tree, after, indent)
    if len(lines) == 1:
        return True
    if not all(map(fits, lines)):
        return False
    if isinstance(tree, ast.ListComp) or _is_sliced_path(tree):
        return True
    if isinstance(tree, ast.Tuple | ast.List) or lines[0] != f"{indent}{before}(":
        return _items_settled(tree, indent + _STEP)
    return isinstance(tree, ast.BinOp) and (len(operands(tree)) > 2 or not _has_brackets(tree))


def _items_settled(tree: ast.expr, indent: str) -> bool:
    """Whether the items of a call or a collection, each on its own lines, are certain to be those of a formatter."""
    last = _last_call(tree)
    if last is None and not isinstance(tree, ast.Tuple | ast.List):
        return False
    items = arguments(last) if last is not None else list(getattr(tree, "elts", []))
    if last is not None and fits(indent + ", ".join(argument(item) for item in items)):
        return True
    if len(items) == 1 and isinstance(items[0], ast.Dict):
        return all(map(fits, _entries(items[0], indent)))
    return all(
        is_settled(f"{item.arg}=", item.value, ",", indent)
        if isinstance(item, ast.keyword)
        else fits(f"{indent}{flat(item)},") or (isinstance(item, ast.Call) and is_settled("", item, ",", indent))
        for item in items
    )


def _has_brackets(tree: ast.BinOp) -> bool:
    """Whether an operand could be broken inside its own brackets."""
    return any(text[0] in "([" or text[-1] in ")]" for _, text in operands(tree))


def bracketed(opening: str, items: Sequence[ast.expr | ast.keyword], closing: str, indent: str) -> list[str]:
    """Lines of arguments between brackets: all on one line if they fit, else one per line."""
    inner = indent + _STEP
    if len(items) == 1 and isinstance(items[0], ast.GeneratorExp):
        return [indent + opening, *_generator(items[0], inner), indent + closing]
    joined = ", ".join(argument(item) for item in items)
    if fits(inner + joined):
        return [indent + opening, inner + joined, indent + closing]
    if len(items) == 1 and isinstance(items[0], ast.Dict):
        return [indent + opening, *_entries(items[0], inner), indent + closing]
    return one_a_line(opening, items, closing, indent)


def _generator(tree: ast.GeneratorExp | ast.ListComp, indent: str) -> list[str]:
    """Lines of a generator or a comprehension in its brackets: one line, or its `for` clause on the next."""
    (clause,) = tree.generators
    if fits(indent + flat(tree)[1:-1]):
        return [indent + flat(tree)[1:-1]]
    before, over = f"for {flat(clause.target)} in ", clause.iter
    first = indent + flat(tree.elt)
    if isinstance(over, ast.List) or fits(indent + before + flat(over)):
        return [first, *statement(before, over, indent=indent)]
    (_, start), *rest = operands(over) if isinstance(over, ast.BinOp) else [("", flat(over))]
    return [first, f"{indent}{before}{start}", *(f"{indent}{sign} {text}" for sign, text in rest)]


def _entries(tree: ast.Dict, indent: str) -> list[str]:
    """Lines of a dict with one entry per line; the value of a long one is broken."""
    pairs = [(flat(key), value) for key, value in zip(tree.keys, tree.values, strict=True) if key is not None]
    lines = [line for key, value in pairs for line in statement(f"{key}: ", value, ",", indent + _STEP)]
    return [f"{indent}{{", *lines, f"{indent}}}"]


def one_a_line(opening: str, items: Sequence[ast.expr | ast.keyword], closing: str, indent: str) -> list[str]:
    """Lines of items between brackets, one item per line, each with a trailing comma."""
    lines = [indent + opening]
    for item in items:
        before, tree = (f"{item.arg}=", item.value) if isinstance(item, ast.keyword) else ("", item)
        lines += statement(before, tree, ",", indent + _STEP)
    return [*lines, indent + closing]


def signature(opening: str, parameters: Sequence[str], closing: str, indent: str) -> list[str]:
    """Lines of a `def`.

    Args:
        opening: the text up to and including the opening parenthesis.
        parameters: the parameters with their annotations.
        closing: the text from the closing parenthesis on.
        indent: the indentation of the `def`.
    """
    inner = indent + _STEP
    joined = ", ".join(parameters)
    if fits(f"{indent}{opening}{joined}{closing}"):
        return [f"{indent}{opening}{joined}{closing}"]
    if fits(inner + joined):
        return [indent + opening, inner + joined, indent + closing]
    return [indent + opening, *(f"{inner}{parameter}," for parameter in parameters), indent + closing]


def _unbracketed(tree: ast.expr) -> str:
    """An expression on one line; a tuple of several elements without its brackets."""
    return elements(tree) if isinstance(tree, ast.Tuple) and len(tree.elts) > 1 else flat(tree)


def _is_path(tree: ast.expr) -> bool:
    """Whether an expression has no brackets in which a formatter could break it, except around a constant index."""
    if isinstance(tree, ast.Attribute):
        return _is_path(tree.value)
    if isinstance(tree, ast.Subscript):
        return _is_path(tree.value) and isinstance(tree.slice, ast.Constant)
    return isinstance(tree, ast.Name)


def _is_sliced_path(tree: ast.expr) -> bool:
    """Whether the only brackets in which a formatter could break an expression are those of its index."""
    return isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Tuple) and _is_path(tree.value)


def _last_call(tree: ast.expr) -> ast.Call | None:
    """The call that ends an expression and has arguments to break; None if there is none.

    It is the expression itself or the right operand of a single operator, and may be a method of another call.
    """
    if isinstance(tree, ast.BinOp) and len(operands(tree)) == 2:
        tree = tree.right
    if not isinstance(tree, ast.Call) or not arguments(tree):
        return None
    function = tree.func
    behind = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call)
    if behind:
        assert isinstance(function, ast.Attribute)
        assert isinstance(function.value, ast.Call)
        function = function.value.func
    return tree if _is_path(function) else None


def _closing(tree: ast.Call) -> str:
    """The text of a call after its opening bracket."""
    written = arguments(tree)
    if len(written) == 1 and isinstance(written[0], ast.GeneratorExp):
        return f"{flat(written[0])[1:-1]})"
    return f"{', '.join(argument(one) for one in written)})"


def _parenthesised(before: str, tree: ast.expr, after: str, indent: str) -> list[str]:
    """Lines of an expression in added parentheses, broken before its operators if it does not fit on one line."""
    inner = indent + _STEP
    opening, closing = f"{indent}{before}(", f"{indent}){after}"
    if fits(inner + flat(tree)) or not isinstance(tree, ast.BinOp):
        return [opening, inner + flat(tree), closing]
    # The first operand has no operator in front of it, and so one space too many.
    parts = [f"{inner}{sign} {text}".replace(f"{inner} ", inner, 1) for sign, text in operands(tree)]
    return [opening, *parts, closing]
