"""The sort `pred`: bool values and comparisons, combined with `and`, `or` and `not`."""

from __future__ import annotations

from dataclasses import field, replace

from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.arithmetic import bracketed
from archspec.text.expr import EXPR, Expr
from archspec.text.junction import Junction
from archspec.text.nodes import TextNode
from archspec.text.path import Path, path_of
from archspec.text.pratt import Cursor, Grammar, parse_whole

_OR, _AND, _NOT, _ATOM = 10, 20, 30, 40
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
WORDS = ("and", "not", "or")


@record
class PredPath:
    """A bool value."""

    path: Path
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return str(self.path)


@record
class PredCompare:
    """An integer value compared with an expression, op one of == != < <= > >=."""

    path: Path
    op: str
    expr: Expr
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"{self.path} {self.op} {self.expr}"


@record
class PredNot:
    """True where the operand is false."""

    operand: PredExpr
    span: Span = field(compare=False, repr=False)
    power = _NOT

    def __str__(self) -> str:
        return f"not {bracketed(self.operand, _NOT)}"


class PredAnd(Junction["PredExpr"]):
    """True where both operands are true."""

    op = "and"
    power = _AND


class PredOr(Junction["PredExpr"]):
    """True where at least one operand is true."""

    op = "or"
    power = _OR


PredExpr = PredPath | PredCompare | PredNot | PredAnd | PredOr


def parse_pred(node: TextNode) -> PredExpr:
    """Parse a field's text as a predicate. Raises SpecError E120, E121, E122 or E126."""
    return parse_whole(node, PRED)


def _operand(cursor: Cursor) -> PredExpr:
    token = cursor.token
    if cursor.take("not"):
        # One less than its own power, so that `not not p` is one operand of the other.
        operand = cursor.parse(PRED, _NOT - 1)
        return PredNot(operand=operand, span=token.span.to(operand.span))
    if cursor.at("("):
        inner, span = cursor.brackets(lambda inside: inside.parse(PRED))
        return replace(inner, span=span)
    if token.kind != "name" or token.text in WORDS:
        help = _VALUE_FIRST if token.kind == "number" else PRED.helps.get(token.text)
        cursor.fail(PRED.expected, help=help)
    return _path_or_comparison(cursor)


def _path_or_comparison(cursor: Cursor) -> PredExpr:
    """Parse a path, or a comparison that starts with one; comparisons cannot be chained."""
    path = path_of(cursor.advance())
    if cursor.token.text not in COMPARISONS:
        return PredPath(path=path, span=path.span)
    op = cursor.advance().text
    # A comparison is no operator of `EXPR`, so a second one ends it and is refused below.
    expr = cursor.parse(EXPR)
    if cursor.token.text in COMPARISONS:
        cursor.fail("one comparison", help="join two comparisons with `and`")
    return PredCompare(path=path, op=op, expr=expr, span=path.span.to(expr.span))


_VALUE_FIRST = "compare a value with an expression, with the value first: `ids != 0`"
PRED: Grammar[PredExpr] = Grammar(
    operand=_operand,
    infix={one.op: one.infix() for one in (PredOr, PredAnd)},
    expected="a value, `not` or `(`",
    helps={
        "&": "write `and`",
        "|": "write `or`",
        ",": "join predicates with `and` or `or`",
        "not": "write `not` before the predicate, after `and` or `or`",
        **dict.fromkeys(COMPARISONS, _VALUE_FIRST),
        **dict.fromkeys(("+", "-", "*", "/", "//", "%"), _VALUE_FIRST),
    },
)
