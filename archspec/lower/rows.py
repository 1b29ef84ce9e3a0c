"""Statements as rows: the text before an expression, the expression, and the text after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archspec.lower.code import ClassCode, Default, Do, Loop, Require, Statement
from archspec.lower.inline import InlinePlan
from archspec.lower.layout import is_settled, statement
from archspec.lower.syntax import name, parse, substitute
from archspec.lower.text import flat

_STEP = "    "


@dataclass(frozen=True, kw_only=True)
class StatementRow:
    """One logical line, ready to be laid out."""

    before: str
    tree: ast.expr
    after: str = ""
    indent: str

    def lines(self) -> list[str]:
        """The lines of the row after layout."""
        return statement(self.before, self.tree, self.after, self.indent)

    def is_settled(self) -> bool:
        """Whether a formatter is certain to leave the lines unchanged."""
        return is_settled(self.before, self.tree, self.after, self.indent)


class _Variables(Mapping[str, ast.expr]):
    """Variables by token as expressions, of which a statement asks for a few of thousands."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def __getitem__(self, token: str) -> ast.expr:
        return name(self._given[token])

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def rows(one: Statement, given: Mapping[str, str], indent: str) -> list[StatementRow]:
    """The rows of a statement, given the names of the variables by token."""
    named = _Variables(given)
    value = substitute(one.value, named)
    if isinstance(one, Default):
        target = given[one.target]
        test = StatementRow(before="if ", tree=parse(f"{target} is None"), after=":", indent=indent)
        return [test, StatementRow(before=f"{target} = ", tree=value, indent=indent + _STEP)]
    if isinstance(one, Require):
        test = StatementRow(before="if ", tree=substitute(one.test, named), after=":", indent=indent)
        return [test, StatementRow(before="raise ", tree=value, indent=indent + _STEP)]
    if isinstance(one, Do):
        return [StatementRow(before="", tree=value, indent=indent)]
    if isinstance(one, Loop):
        return list(_loop(one, given, named, value, indent))
    return [StatementRow(before=f"{', '.join(given[target] for target in one.targets)} = ", tree=value, indent=indent)]


def _loop(
    one: Loop, given: Mapping[str, str], named: Mapping[str, ast.expr], value: ast.expr, indent: str
) -> Iterator[StatementRow]:
    for found, _ in one.collected:
        yield StatementRow(before=f"{given[found]} = ", tree=parse("[]"), indent=indent)
    start = substitute(one.start, named)
    # Both may have one name, which is not assigned to itself.
    if one.carried and flat(start) != given[one.carried]:
        yield StatementRow(before=f"{given[one.carried]} = ", tree=start, indent=indent)
    header = substitute(one.header, named)
    targets = ", ".join(map(flat, header.elts)) if isinstance(header, ast.Tuple) else flat(header)
    yield StatementRow(before=f"for {targets} in ", tree=substitute(one.over, named), after=":", indent=indent)
    made = ", ".join(given[token] for token in (one.carried, *one.extra) if token)
    yield StatementRow(before=f"{made} = " if made else "", tree=value, indent=indent + _STEP)
    for found, token in one.collected:
        yield StatementRow(before="", tree=parse(f"{given[found]}.append({given[token]})"), indent=indent + _STEP)


def returned(code: ClassCode, plan: InlinePlan, given: Mapping[str, str], indent: str) -> StatementRow:
    """The row of the `return`: a tensor, a tuple, or `Outputs` for a model with several outputs."""
    named = _Variables(given)
    results = [substitute(result, named) for result in plan.results]
    tree = results[0] if len(results) == 1 else ast.Tuple(results)
    if code.output_names and len(results) > 1:
        tree = ast.Call(name("Outputs"), results, [])
    return StatementRow(before="return ", tree=tree, indent=indent)
