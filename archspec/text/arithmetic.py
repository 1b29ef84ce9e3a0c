"""What the sorts `expr` and `value` share: the arithmetic around their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from decimal import Context
from fractions import Fraction
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.lexer import Token
from archspec.text.pratt import Cursor, Grammar, Infix

SUM, PRODUCT, UNARY, ATOM = 10, 20, 30, 40
POWERS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT}
"""How tightly each operator binds; a sort may have fewer."""


class Bindable(Protocol):
    """A syntax node with the binding power of its outermost operator."""

    @property
    def power(self) -> int:
        """Higher binds tighter."""


E = TypeVar("E", bound=Any)


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
class Negation(Generic[E]):
    """A minus sign before an operand."""

    op: str
    operand: E
    span: Span = field(compare=False, repr=False)
    power: ClassVar[int] = UNARY

    def __str__(self) -> str:
        return f"{self.op}{bracketed(self.operand, UNARY)}"


@record
class InfixOperation(Generic[E]):
    """`left op right`."""

    op: str
    left: E
    right: E
    span: Span = field(compare=False, repr=False)

    @property
    def power(self) -> int:
        """How tightly the operator binds."""
        return POWERS[self.op]

    def __str__(self) -> str:
        return infix_text(self.left, self.op, self.right, self.power)


@record
class Application(Generic[E]):
    """A function of one argument: `sqrt(x)`."""

    function: str
    argument: E
    span: Span = field(compare=False, repr=False)
    power: ClassVar[int] = ATOM

    def __str__(self) -> str:
        return f"{self.function}({self.argument})"


@record
class Arithmetic(Generic[E]):
    """The arithmetic of a sort: its functions and operators, what a name denotes, and the classes of its nodes.

    `expected` and `helps` are those of the grammar.
    """

    functions: tuple[str, ...]
    operators: tuple[str, ...]
    name: Callable[[Token], E]
    number: Callable[[Token], E]
    # Called with the fields of the node by name.
    negation: Callable[..., E]
    operation: Callable[..., E]
    application: Callable[..., E]
    expected: str
    helps: Mapping[str, str]

    def grammar(self) -> Grammar[E]:
        """The grammar of the sort."""
        infix = {op: Infix(power=POWERS[op], build=self._operation) for op in self.operators}
        return Grammar(operand=self._operand, infix=infix, expected=self.expected, helps=self.helps)

    def _operand(self, cursor: Cursor) -> E:
        """Parse a number, a name, a function of one, a minus sign with its operand, or arithmetic in brackets."""
        token = cursor.token
        if token.kind == "number":
            return self.number(cursor.advance())
        if token.kind == "name":
            return self._name_or_application(cursor)
        if cursor.take("-"):
            # Tighter than any infix operator, so that `-a*b` is the product of `-a` and `b`.
            operand = cursor.parse(self.grammar(), UNARY)
            return self.negation(op="-", operand=operand, span=token.span.to(operand.span))
        if cursor.at("("):
            # The span includes the brackets, so that a label under the operand covers all of it.
            inner, span = cursor.brackets(lambda inside: inside.parse(self.grammar()))
            return replace(inner, span=span)
        return cursor.fail(self.expected, help=self.helps.get(token.text))

    def _name_or_application(self, cursor: Cursor) -> E:
        """Parse a name, or a function call. Raises SpecError E122 for an unknown function."""
        token = cursor.advance()
        if not cursor.at("("):
            return self.name(token)
        if token.text not in self.functions:
            help = did_you_mean(token.text, self.functions, kind="functions")
            fail("E122", f"unknown function `{token.text}`", token.span, help=help)
        argument, span = cursor.brackets(lambda inside: inside.parse(self.grammar()))
        return self.application(function=token.text, argument=argument, span=token.span.to(span))

    def _operation(self, left: E, token: Token, right: E) -> E:
        return self.operation(op=token.text, left=left, right=right, span=left.span.to(right.span))


def read_number(token: Token) -> Number:
    """The syntax node of a number token."""
    return Number(value=Fraction(token.text), span=token.span)


def bracketed(inner: Bindable, power: int) -> str:
    """The text of an operand, in brackets if its operator binds less tightly than `power`."""
    return f"({inner})" if inner.power < power else str(inner)


def infix_text(left: Bindable, op: str, right: Bindable, power: int) -> str:
    """The source of `left op right`, for an operator that binds with `power`."""
    # One more on the right: equal operators associate to the left, so `a - (b - c)` keeps its brackets.
    return f"{bracketed(left, power)} {op} {bracketed(right, power + 1)}"


def leaves(node: E) -> Iterator[E]:
    """The names and numbers in arithmetic, in the written order, with repeats."""
    if isinstance(node, Negation):
        yield from leaves(node.operand)
    elif isinstance(node, Application):
        yield from leaves(node.argument)
    elif isinstance(node, InfixOperation):
        yield from leaves(node.left)
        yield from leaves(node.right)
    else:
        yield node
