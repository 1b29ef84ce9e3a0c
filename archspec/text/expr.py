"""The sort `expr`: numbers and sizes as arithmetic over constants and dims."""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from fractions import Fraction
from typing import TypeVar

from archspec.algebra.dim import Dim, compare
from archspec.algebra.scalar import Scalar
from archspec.algebra.zeros import Zeros, zeros
from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.arithmetic import (
    ATOM,
    Application,
    Arithmetic,
    InfixOperation,
    Negation,
    Number,
    leaves,
    read_number,
)
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.pratt import Grammar, parse_whole

_OPERATORS: Mapping[str, Callable[[Scalar, Scalar], Scalar]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_DIVISIONS = frozenset({"/", "//", "%"})
_LARGEST = sys.float_info.max
# The largest int64, in which PyTorch and ONNX hold sizes.
_LARGEST_SIZE = 2**63 - 1
FUNCTIONS = ("sqrt",)

T = TypeVar("T")


@record
class Name:
    """A constant or a dim."""

    name: str
    span: Span = field(compare=False, repr=False)
    power = ATOM

    def __str__(self) -> str:
        return self.name


class UnaryExpr(Negation["Expr"]):
    """A minus sign before an expression."""


class BinaryExpr(InfixOperation["Expr"]):
    """`left op right`, one of + - * / // %."""


class CallExpr(Application["Expr"]):
    """A function of one expression: `sqrt(x)`."""


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
    return tuple(dict.fromkeys(one.name for one in leaves(expr) if isinstance(one, Name)))


def evaluate(expr: Expr, names: Mapping[str, Scalar]) -> Scalar:
    """Compute the exact value of an expression; `names` gives the value of every constant and dim.

    Raises SpecError E201 for a name that is not in `names`, E303 where the value is undefined (division by zero, also
    at some admitted sizes alone, the square root of a negative number) or too large.
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
    if expr.op in _DIVISIONS and right.symbols():
        _check_divisor(expr.right, right)
    return _defined(lambda: _OPERATORS[expr.op](left, right), expr.right, "division by zero")


def size(expr: Expr, names: Mapping[str, Scalar], least: int = 1) -> Dim:
    """Compute the value of an expression used as a size; help for a negative one names `least`, the least allowed.

    Raises SpecError as `evaluate` does; E301 where the value is not a whole number, E302 where it is negative at all
    admitted sizes, E303 for a constant beyond 64 bits.
    """
    value = evaluate(expr, names)
    dim = value.as_dim()
    if dim is None:
        fail("E301", f"`{written(expr)}` is not a whole number", expr.span, _shown(value), help=_whole_help(expr))
    if _defined(lambda: compare(dim, "<", 0), expr, "division by zero"):
        help = f"choose a value of at least {least}"
        fail("E302", f"`{written(expr)}` is negative", expr.span, _shown(value), help=help)
    check_size(expr, dim)
    return dim


def _check_divisor(expr: Expr, value: Scalar) -> None:
    """Check that a divisor is not zero at any admitted sizes. Raises SpecError E303 where it is, or may be."""
    # What is divided may cancel the divisor later, so it is judged as it is written.
    part = value.vanishing()
    found = Zeros(decided=False) if part is None else zeros(part)
    if found.at is not None:
        at = ", ".join(f"{name} = {size}" for name, size in found.at.items())
        fail("E303", f"division by zero at {at}", expr.span, help="change the divisor, or the ranges of its dims")
    if not found.decided:
        message = f"cannot prove that `{written(expr)}` is never zero"
        fail("E303", message, expr.span, help="divide by a size that is above 0 at the least sizes")


def at_the_ends(dim: Dim) -> Iterator[dict[str, int]]:
    """Every combination of the least and the largest sizes of the dims in an expression."""
    symbols = sorted(dim.symbols(), key=lambda symbol: symbol.name)
    for ends in itertools.product(*((symbol.min, symbol.max) for symbol in symbols)):
        yield {symbol.name: end for symbol, end in zip(symbols, ends, strict=True)}


def check_size(expr: Expr, dim: Dim) -> None:
    """Check that a whole number fits into 64 bits. Raises SpecError E303 for a larger constant."""
    whole = dim.constant
    if whole is not None and whole > _LARGEST_SIZE:
        help = f"write a number of at most {_LARGEST_SIZE}"
        fail("E303", f"`{written(expr)}` is too large for a size", expr.span, help=help)


def number(expr: Expr, names: Mapping[str, Scalar]) -> Scalar:
    """Compute the value of an expression used as a number; it stays exact until it is converted to a float.

    Raises SpecError as `evaluate` does; E303 for a constant beyond the range of a float.
    """
    value = evaluate(expr, names)
    constant: Fraction | float | None = _defined(value.constant, expr, "number without a value")
    if constant is not None and not -_LARGEST <= constant <= _LARGEST:
        fail("E303", f"`{written(expr)}` is too large for a float", expr.span, help="write a number below 1e308")
    return value


def _name(token: Token) -> Expr:
    """The node of a name. Raises SpecError E120 for a path."""
    if "." in token.text:
        help = "sizes use numbers, constants and dims; paths are allowed only where a value is expected"
        fail("E120", f"expected a constant or a dim, found the path `{token.text}`", token.span, help=help)
    return Name(name=token.text, span=token.span)


EXPR: Grammar[Expr] = Arithmetic[Expr](
    functions=FUNCTIONS,
    operators=("+", "-", "*", "/", "//", "%"),
    name=_name,
    number=read_number,
    negation=UnaryExpr,
    operation=BinaryExpr,
    application=CallExpr,
    expected="a number, a constant, a dim or `(`",
    helps={
        ",": "an expression is one value, without commas",
        "&": "masks are allowed only in fields that take a mask",
        "|": "masks are allowed only in fields that take a mask",
        **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), "comparisons are allowed only in predicates"),
    },
).grammar()


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
