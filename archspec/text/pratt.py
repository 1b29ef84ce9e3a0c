"""One operator-precedence parser (Pratt 1973) for expressions, values, predicates, masks and types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NoReturn, TypeVar

from archspec.diagnostics.error import fail
from archspec.diagnostics.model import Label
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.lexer import Token, tokenize
from archspec.text.nodes import TextNode

MAX_DEPTH = 32

T = TypeVar("T")
U = TypeVar("U")


@record
class Infix(Generic[T]):
    """A binary operator: how tightly it binds, and what it makes of its operands."""

    power: int
    build: Callable[[T, Token, T], T]


@record
class Grammar(Generic[T]):
    """A sort: how an operand starts, its operators, and what a message calls an operand."""

    operand: Callable[[Cursor], T]
    infix: Mapping[str, Infix[T]]
    expected: str
    helps: Mapping[str, str]


class Cursor:
    """A position in a text's tokens."""

    def __init__(self, node: TextNode) -> None:
        self.node = node
        self._tokens = tokenize(node)
        self._position = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._position]

    @property
    def done(self) -> bool:
        """True when every token is read."""
        return self.token.kind == "end"

    def advance(self) -> Token:
        """Read one token."""
        token = self.token
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def take(self, text: str) -> Token | None:
        """Read the token if it is this sign or word."""
        return self.advance() if self.at(text) else None

    def at(self, text: str) -> bool:
        """True when the next token is this sign or word."""
        return self.token.text == text and self.token.kind in ("sign", "name")

    def expect(self, text: str, opened: Token | None = None) -> Token:
        """Read this sign. Raises SpecError E120 where another token stands; `opened` is the bracket it closes."""
        found = self.take(text)
        if found is None:
            places = [] if opened is None else [Label(opened.span, "opened here")]
            help = "one argument is expected" if self.at(",") else None
            self.fail(f"`{text}`", help=help, secondary=places)
        return found

    def fail(self, expected: str, *, help: str | None = None, secondary: Iterable[Label] = ()) -> NoReturn:
        """Raise SpecError E120: what was expected, at the token that stands there instead."""
        message = f"expected {expected}, found {self.token.shown}"
        fail("E120", message, self.token.span, secondary=secondary, help=help)

    def parse(self, grammar: Grammar[T], power: int = 0) -> T:
        """An expression of a sort whose operators all bind tighter than `power`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            fail("E126", f"nested more than {MAX_DEPTH} deep", self.token.span, help="give names to the inner parts")
        left = grammar.operand(self)
        while not self.done:
            infix = grammar.infix.get(self.token.text)
            if infix is None or infix.power <= power:
                break
            operator = self.advance()
            left = infix.build(left, operator, self.parse(grammar, infix.power))
        self._depth -= 1
        return left

    def brackets(self, read: Callable[[Cursor], U]) -> tuple[U, Span]:
        """`( ... )` around what `read` reads; its result, and the span from bracket to bracket."""
        opened = self.expect("(")
        inner = read(self)
        return inner, opened.span.to(self.expect(")", opened).span)


def parse_whole(node: TextNode, grammar: Grammar[T]) -> T:
    """The whole text as one expression of a sort. Raises SpecError E120, E121 or E126."""
    cursor = Cursor(node)
    parsed = cursor.parse(grammar)
    finish(cursor, grammar)
    return parsed


def finish(cursor: Cursor, grammar: Grammar[T]) -> None:
    """Check that nothing follows. Raises SpecError E120."""
    if not cursor.done:
        help = grammar.helps.get(cursor.token.text)
        if help is None and cursor.token.kind in ("name", "number"):
            help = f"write an operator before it, or remove `{cursor.token.text}`"
        cursor.fail("an operator or the end", help=help)
