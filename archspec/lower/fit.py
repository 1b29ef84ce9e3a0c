"""Fits statements to the line width: a statement that is too long is split into two."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from archspec.lower.code import Assignment, ClassCode, Variable
from archspec.lower.inline import InlinePlan
from archspec.lower.region import finished
from archspec.lower.rows import StatementRow, returned, rows
from archspec.lower.syntax import name, names
from archspec.lower.text import flat
from archspec.lower.variables import name_variables

_WORTH_A_NAME = 16
"""Shorter parts do not become variables."""


def fitted(code: ClassCode, reserved: frozenset[str], indent: str) -> tuple[dict[str, str], list[str]]:
    """Names of the variables by token, and the lines of the body of `forward`.

    A value that was inlined in a statement becomes a variable again while the statement does not fit on a line. After
    that, a part of a statement becomes a variable while formatters might lay it out in another way.

    Args:
        code: the class; tokens of new variables are added to it.
        reserved: names that no variable may take.
        indent: the indentation of the lines.
    """
    variables: frozenset[str] = frozenset()
    plan = finished(code, code.arguments)
    # Each round adds a variable for an inlined value or a part of a statement, of which there are finitely many.
    while True:
        given = name_variables(code, plan, reserved)
        written = [*(rows(one, given, indent) for one in plan.statements), [returned(code, plan, given, indent)]]
        inlined = _inlined_to_split(code, plan, written)
        if inlined:
            variables |= {inlined}
            plan = finished(code, code.arguments, variables)
            continue
        split = _split(code, plan, written)
        if split is None:
            return given, [line for group in written for row in group for line in row.lines()]
        plan = split


def _inlined_to_split(code: ClassCode, plan: InlinePlan, written: Sequence[Sequence[StatementRow]]) -> str:
    """The inlined value to make a variable, so that the longer of both lines is shortest; "" if there is none."""
    for group, parts in zip(written, plan.inlined, strict=True):
        lengths = [len(row.lines()[0]) for row in group if len(row.lines()) > 1]
        if not lengths or not parts:
            continue
        sizes = _sizes(code, parts)
        total = max(sizes.values()) + lengths[0]
        best = min(parts, key=lambda part: max(sizes[part], total - sizes[part]))
        if sizes[best] > _WORTH_A_NAME:
            return best
    return ""


def _sizes(code: ClassCode, parts: Sequence[str]) -> dict[str, int]:
    """Lengths in characters of inlined values, each with the values that are inlined in it."""
    values = {one.targets[0]: one.value for one in code.statements if isinstance(one, Assignment)}
    sizes: dict[str, int] = {}
    # From the last on: inner values follow those that they are inlined in.
    for part in reversed(parts):
        sizes[part] = len(flat(values[part])) + sum(sizes.get(found, 0) for found in names(values[part]))
    return sizes


def _split(code: ClassCode, plan: InlinePlan, written: Sequence[Sequence[StatementRow]]) -> InlinePlan | None:
    """The plan with a part of the first unsettled statement as a variable; None if nothing can be split."""
    trees = [one.value if isinstance(one, Assignment) else None for one in plan.statements]
    trees.append(plan.results[0] if len(plan.results) == 1 else None)
    for number, (tree, group) in enumerate(zip(trees, written, strict=True)):
        if tree is None or all(row.is_settled() for row in group):
            continue
        total = len(flat(tree))
        parts = [part for part in _parts(tree) if part is not tree and len(flat(part)) > _WORTH_A_NAME]
        if parts:
            best = min(parts, key=lambda part: max(len(flat(part)), total - len(flat(part))))
            return _with_variable(code, plan, number, best)
    return None


def _parts(tree: ast.expr) -> list[ast.expr]:
    """Calls, binary operations and lists in a tree.

    There are none if it has a comprehension, whose variables do not exist in a statement before it.
    """
    found = list(ast.walk(tree))
    if any(isinstance(node, ast.GeneratorExp | ast.ListComp) for node in found):
        return []
    return [node for node in found if isinstance(node, ast.Call | ast.BinOp | ast.List)]


class _Replacement(ast.NodeTransformer):
    """Replaces one node of a tree, found by identity, by a name."""

    def __init__(self, part: ast.expr, token: str) -> None:
        self.part = part
        self.token = token

    def visit(self, node: ast.AST) -> ast.AST:
        return name(self.token) if node is self.part else self.generic_visit(node)


def _with_variable(code: ClassCode, plan: InlinePlan, number: int, part: ast.expr) -> InlinePlan:
    """The plan with a part of the statement `number` assigned to a new variable before it; the last is the result."""
    token = code.variable(Variable())
    made = Assignment(targets=(token,), value=part)
    replacement = _Replacement(part, token)
    statements, results = list(plan.statements), list(plan.results)
    if number == len(statements):
        results[0] = _expression(replacement.visit(results[0]))
    else:
        one = statements[number]
        statements[number] = replace(one, value=_expression(replacement.visit(one.value)))
    statements.insert(number, made)
    inlined = [*plan.inlined[:number], [], *plan.inlined[number:]]
    return InlinePlan(statements=statements, results=results, inlined=inlined)


def _expression(tree: ast.AST) -> ast.expr:
    assert isinstance(tree, ast.expr)
    return tree
