"""The sort `value`: a name, a path, or elementwise arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.expr import ATOM, PRODUCT, SUM, UNARY, Number, bracketed, check_function, read_number
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.path import Path, path_of
from archspec.text.pratt import Cursor, Grammar, Infix, parse_whole

_POWERS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT}
FUNCTIONS = ("exp", "relu", "sigmoid", "silu", "tanh")


@record
class ValueUnary:
    """A minus sign before a value."""

    op: str
    operand: ValueExpr
    span: Span = field(compare=False, repr=False)
    power = UNARY

    def __str__(self) -> str:
        return f"{self.op}{bracketed(self.operand, UNARY)}"


@record
class ValueBinary:
    """`left op right`, elementwise, op one of + - * /."""

    op: str
    left: ValueExpr
    right: ValueExpr
    span: Span = field(compare=False, repr=False)

    @property
    def power(self) -> int:
        """How tightly the operator binds."""
        return _POWERS[self.op]

    def __str__(self) -> str:
        return f"{bracketed(self.left, self.power)} {self.op} {bracketed(self.right, self.power + 1)}"


@record
class ValueCall:
    """An elementwise function of one value: exp, tanh, sigmoid, silu or relu."""

    function: str
    argument: ValueExpr
    span: Span = field(compare=False, repr=False)
    power = ATOM

    def __str__(self) -> str:
        return f"{self.function}({self.argument})"


ValueExpr = Path | Number | ValueUnary | ValueBinary | ValueCall


def parse_value(node: TextNode) -> ValueExpr:
    """Parse a field's text as a value. Raises SpecError E120, E121, E122 or E126."""
    return parse_whole(node, VALUE)


def paths(value: ValueExpr) -> tuple[Path, ...]:
    """The paths that a value reads, without repeats, in the written order."""
    return tuple(dict.fromkeys(_paths(value)))


def _paths(value: ValueExpr) -> Iterator[Path]:
    """Every path in a value, in the written order, with repeats."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, ValueUnary):
        yield from _paths(value.operand)
    elif isinstance(value, ValueCall):
        yield from _paths(value.argument)
    elif isinstance(value, ValueBinary):
        yield from _paths(value.left)
        yield from _paths(value.right)


def _operand(cursor: Cursor) -> ValueExpr:
    """Parse a number, a path, a call, a minus sign with its operand, or a value in brackets."""
    token = cursor.token
    if token.kind == "number":
        return read_number(cursor.advance())
    if token.kind == "name":
        return _path_or_call(cursor)
    if cursor.take("-"):
        operand = cursor.parse(VALUE, UNARY)
        return ValueUnary(op="-", operand=operand, span=token.span.to(operand.span))
    if cursor.at("("):
        inner, span = cursor.brackets(lambda inside: inside.parse(VALUE))
        return replace(inner, span=span)
    return cursor.fail(VALUE.expected, help=VALUE.helps.get(token.text))


def _path_or_call(cursor: Cursor) -> ValueExpr:
    """Parse a path, or a function call. Raises SpecError E122 for an unknown function."""
    token = cursor.advance()
    if not cursor.at("("):
        return path_of(token)
    check_function(token, FUNCTIONS)
    argument, span = cursor.brackets(lambda inside: inside.parse(VALUE))
    return ValueCall(function=token.text, argument=argument, span=token.span.to(span))


def _binary(left: ValueExpr, token: Token, right: ValueExpr) -> ValueExpr:
    return ValueBinary(op=token.text, left=left, right=right, span=left.span.to(right.span))


# Values are tensors: floor division and remainder are for sizes only.
_NO_ROUNDING = "values support + - * / with exp, relu, sigmoid, silu and tanh"
VALUE: Grammar[ValueExpr] = Grammar(
    operand=_operand,
    infix={op: Infix(power=power, build=_binary) for op, power in _POWERS.items()},
    expected="a name, a path, a number or `(`",
    helps={
        ",": "a value is one expression; write a list of values in `[ ]`",
        "//": _NO_ROUNDING,
        "%": _NO_ROUNDING,
        "[": "use the block `slice`: {block: slice, input: ..., axis: ..., start: ..., stop: ...}",
    },
)
