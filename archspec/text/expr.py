"""The sort `expr`: numbers and sizes as arithmetic over constants and dims."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from decimal import Context
from fractions import Fraction
from typing import Protocol, TypeVar

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.pratt import Cursor, Grammar, Infix, parse_whole

SUM, PRODUCT, UNARY, ATOM = 10, 20, 30, 40
_POWERS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT}
_OPERATORS: Mapping[str, Callable[[Scalar, Scalar], Scalar]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_LARGEST = sys.float_info.max
FUNCTIONS = ("sqrt",)

T = TypeVar("T")


class Bindable(Protocol):
    """A syntax node with the binding power of its outermost operator."""

    @property
    def power(self) -> int:
        """Higher binds tighter."""


@record
class Number:
    """A number literal, kept as an exact rational."""

    value: Fraction
    span: Span = field(compare=False, repr=False)
    power = ATOM

    def __str__(self) -> str:
        if self.value.denominator == 1 and abs(self.value) < 10**40:
            return str(self.value.numerator)
        # A literal has at most 40 characters, so 80 digits print it exactly.
        exact = Context(prec=80)
        return str(exact.normalize(exact.divide(self.value.numerator, self.value.denominator)))


@record
class Name:
    """A constant or a dim."""

    name: str
    span: Span = field(compare=False, repr=False)
    power = ATOM

    def __str__(self) -> str:
        return self.name


@record
class UnaryExpr:
    """A minus sign before an operand."""

    op: str
    operand: Expr
    span: Span = field(compare=False, repr=False)
    power = UNARY

    def __str__(self) -> str:
        return f"{self.op}{bracketed(self.operand, UNARY)}"


@record
class BinaryExpr:
    """`left op right`, op one of + - * / // %."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(compare=False, repr=False)

    @property
    def power(self) -> int:
        """How tightly the operator binds."""
        return _POWERS[self.op]

    def __str__(self) -> str:
        return f"{bracketed(self.left, self.power)} {self.op} {bracketed(self.right, self.power + 1)}"


@record
class CallExpr:
    """A function of one argument: `sqrt(x)`."""

    function: str
    argument: Expr
    span: Span = field(compare=False, repr=False)
    power = ATOM

    def __str__(self) -> str:
        return f"{self.function}({self.argument})"


Expr = Number | Name | UnaryExpr | BinaryExpr | CallExpr


def parse_expr(node: TextNode) -> Expr:
    """Parse a field's text as an expression.

    Raises SpecError E120 for a syntax error, E121 for a malformed number, E122 for an unknown function, E126 where the
    text is too long or nested too deep, E204 for `none`.
    """
    if node.value == "none":
        help = "leave the field out for its default, or write the number that disables it, such as 0"
        fail("E204", "expected a number, found `none`", node.span, help=help)
    return parse_whole(node, EXPR)


def written(expr: Expr) -> str:
    """The text of an expression as the file shows it; re-printed from the tree where YAML folded or quoted it."""
    text = expr.span.text
    return str(expr) if "\n" in text or not text or text[0] in "'\"|>" else text


def names(expr: Expr) -> tuple[str, ...]:
    """The names of the constants and dims that an expression uses, without repeats, in the written order."""
    return tuple(dict.fromkeys(_names(expr)))


def evaluate(expr: Expr, names: Mapping[str, Scalar]) -> Scalar:
    """Compute the exact value of an expression; `names` gives the value of every constant and dim.

    Raises SpecError E201 for a name that is not in `names`, E303 where the value is undefined (division by zero, the
    square root of a negative number) or too large.
    """
    if isinstance(expr, Number):
        return Scalar.of(expr.value)
    if isinstance(expr, Name):
        return _look_up(expr, names)
    if isinstance(expr, UnaryExpr):
        return -evaluate(expr.operand, names)
    if isinstance(expr, CallExpr):
        argument = evaluate(expr.argument, names)
        return _defined(argument.sqrt, expr, "the square root of a negative number")
    left, right = evaluate(expr.left, names), evaluate(expr.right, names)
    return _defined(lambda: _OPERATORS[expr.op](left, right), expr.right, "division by zero")


def size(expr: Expr, names: Mapping[str, Scalar], least: int = 1) -> Dim:
    """Compute the value of an expression used as a size; help for a negative one names `least`, the least allowed.

    Raises SpecError as `evaluate` does; E301 where the value is not a whole number, E302 where it is negative at all
    admitted sizes.
    """
    value = evaluate(expr, names)
    dim = value.as_dim()
    if dim is None:
        fail("E301", f"`{written(expr)}` is not a whole number", expr.span, _shown(value), help=_whole_help(expr))
    if _defined(lambda: compare(dim, "<", 0), expr, "division by zero"):
        help = f"choose a value of at least {least}"
        fail("E302", f"`{written(expr)}` is negative", expr.span, _shown(value), help=help)
    return dim


def number(expr: Expr, names: Mapping[str, Scalar]) -> Scalar:
    """Compute the value of an expression used as a number; it stays exact until it is converted to a float.

    Raises SpecError as `evaluate` does; E303 for a constant beyond the range of a float.
    """
    value = evaluate(expr, names)
    constant: Fraction | float | None = _defined(value.constant, expr, "number without a value")
    if constant is not None and not -_LARGEST <= constant <= _LARGEST:
        fail("E303", f"`{written(expr)}` is too large for a float", expr.span, help="write a number below 1e308")
    return value


def read_number(token: Token) -> Number:
    """The syntax node of a number token."""
    return Number(value=Fraction(token.text), span=token.span)


def check_function(token: Token, functions: tuple[str, ...]) -> None:
    """Check that the name before a bracket is one of `functions`. Raises SpecError E122 if it is not."""
    if token.text not in functions:
        help = did_you_mean(token.text, functions, kind="functions")
        fail("E122", f"unknown function `{token.text}`", token.span, help=help)


def bracketed(inner: Bindable, power: int) -> str:
    """The text of an operand, in brackets if its operator binds less tightly than `power`."""
    return f"({inner})" if inner.power < power else str(inner)


def _operand(cursor: Cursor) -> Expr:
    """Parse a number, a name, a call, a minus sign with its operand, or an expression in brackets."""
    token = cursor.token
    if token.kind == "number":
        return read_number(cursor.advance())
    if token.kind == "name":
        return _name_or_call(cursor)
    if cursor.take("-"):
        operand = cursor.parse(EXPR, UNARY)
        return UnaryExpr(op="-", operand=operand, span=token.span.to(operand.span))
    if cursor.at("("):
        # The span includes the brackets, so that a label under the operand covers all of it.
        inner, span = cursor.brackets(lambda inside: inside.parse(EXPR))
        return replace(inner, span=span)
    return cursor.fail(EXPR.expected, help=EXPR.helps.get(token.text))


def _name_or_call(cursor: Cursor) -> Expr:
    """Parse a name, or a function call. Raises SpecError E122 for an unknown function, E120 for a path."""
    token = cursor.advance()
    if cursor.at("("):
        check_function(token, FUNCTIONS)
        argument, span = cursor.brackets(lambda inside: inside.parse(EXPR))
        return CallExpr(function=token.text, argument=argument, span=token.span.to(span))
    if "." in token.text:
        help = "sizes use numbers, constants and dims; paths are allowed only where a value is expected"
        fail("E120", f"expected a constant or a dim, found the path `{token.text}`", token.span, help=help)
    return Name(name=token.text, span=token.span)


def _binary(left: Expr, token: Token, right: Expr) -> Expr:
    return BinaryExpr(op=token.text, left=left, right=right, span=left.span.to(right.span))


EXPR: Grammar[Expr] = Grammar(
    operand=_operand,
    infix={op: Infix(power=power, build=_binary) for op, power in _POWERS.items()},
    expected="a number, a constant, a dim or `(`",
    helps={
        ",": "an expression is one value, without commas",
        "&": "masks are allowed only in fields that take a mask",
        "|": "masks are allowed only in fields that take a mask",
        **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), "comparisons are allowed only in predicates"),
    },
)


def _names(expr: Expr) -> Iterator[str]:
    """Every name in an expression, in the written order, with repeats."""
    if isinstance(expr, Name):
        yield expr.name
    elif isinstance(expr, UnaryExpr):
        yield from _names(expr.operand)
    elif isinstance(expr, CallExpr):
        yield from _names(expr.argument)
    elif isinstance(expr, BinaryExpr):
        yield from _names(expr.left)
        yield from _names(expr.right)


def _look_up(name: Name, names: Mapping[str, Scalar]) -> Scalar:
    """The value of a name. Raises SpecError E201 for an unknown one."""
    value = names.get(name.name)
    if value is None:
        help = did_you_mean(name.name, names)
        fail("E201", f"unknown name `{name.name}`", name.span, help=help)
    return value


def _defined(compute: Callable[[], T], place: Expr, problem: str) -> T:
    """The result of `compute`; SpecError E303 at `place` in place of an arithmetic error, with `problem` as message."""
    try:
        return compute()
    except OverflowError:
        fail("E303", "the number is too large", place.span, help="write a number below 1e308")
    except (ZeroDivisionError, ValueError):
        fail("E303", problem, place.span, help="check the constants that it uses")


def _shown(value: Scalar) -> str:
    """The label with the value of an expression; empty if the value depends on dims."""
    constant = value.constant()
    return "" if constant is None else f"this is {constant}"


def _whole_help(expr: Expr) -> str:
    """The help for a size that is not whole."""
    if isinstance(expr, BinaryExpr) and expr.op == "/":
        return "write `//` to round down, or choose constants that divide"
    return "a size must be a whole number"
