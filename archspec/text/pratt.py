"""The operator-precedence parser of expressions, values, predicates, masks and types.

Source: Pratt, "Top down operator precedence", POPL 1973.
"""

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
    """A binary operator: its binding power, and `build`, which makes the node of left operand, operator and right."""

    power: int
    build: Callable[[T, Token, T], T]


@record
class Grammar(Generic[T]):
    """The grammar of a sort.

    `operand` parses one operand, `infix` are the binary operators by sign, `expected` names an operand in messages,
    and `helps` gives the help for a token that does not belong here.
    """

    operand: Callable[[Cursor], T]
    infix: Mapping[str, Infix[T]]
    expected: str
    helps: Mapping[str, str]


class Cursor:
    """A reading position in the tokens of a text. Its construction raises SpecError as `tokenize` does."""

    def __init__(self, node: TextNode) -> None:
        self.node = node
        self._tokens = tokenize(node)
        self._position = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The next token; at the end of the text, the token of kind `end`."""
        return self._tokens[self._position]

    @property
    def done(self) -> bool:
        """Whether every token has been read."""
        return self.token.kind == "end"

    def advance(self) -> Token:
        """Read and return the next token."""
        token = self.token
        # The end token is never passed, so `token` is always defined.
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def take(self, text: str) -> Token | None:
        """Read the next token if it is this sign or word; None, without reading, if it is not."""
        return self.advance() if self.at(text) else None

    def at(self, text: str) -> bool:
        """Whether the next token is this sign or word."""
        return self.token.text == text and self.token.kind in ("sign", "name")

    def expect(self, text: str, opened: Token | None = None) -> Token:
        """Read this sign; `opened` is the bracket that it closes. Raises SpecError E120 at any other token."""
        found = self.take(text)
        if found is None:
            places = [] if opened is None else [Label(opened.span, "opened here")]
            help = "expected one argument" if self.at(",") else None
            self.fail(f"`{text}`", help=help, secondary=places)
        return found

    def fail(self, expected: str, *, help: str | None = None, secondary: Iterable[Label] = ()) -> NoReturn:
        """Raise SpecError E120 at the next token: `expected` was expected, the token was found."""
        message = f"expected {expected}, found {self.token.shown}"
        fail("E120", message, self.token.span, secondary=secondary, help=help)

    def parse(self, grammar: Grammar[T], power: int = 0) -> T:
        """Parse the longest expression whose operators all bind tighter than `power`.

        Operators of equal power associate to the left. Raises SpecError E120 at an unexpected token, E126 for nesting
        deeper than `MAX_DEPTH`.
        """
        # Bounds the recursion of this parser and of everything that walks the trees it builds.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            fail("E126", f"nested more than {MAX_DEPTH} deep", self.token.span, help="give names to the inner parts")
        left = grammar.operand(self)
        # An operator that does not bind tighter than `power` belongs to the caller.
        while not self.done:
            infix = grammar.infix.get(self.token.text)
            if infix is None or infix.power <= power:
                break
            operator = self.advance()
            left = infix.build(left, operator, self.parse(grammar, infix.power))
        self._depth -= 1
        return left

    def brackets(self, read: Callable[[Cursor], U]) -> tuple[U, Span]:
        """Read `( ... )` with `read` inside it; return its result and the span from bracket to bracket.

        Raises SpecError E120 where a bracket is missing.
        """
        opened = self.expect("(")
        inner = read(self)
        return inner, opened.span.to(self.expect(")", opened).span)


def parse_whole(node: TextNode, grammar: Grammar[T]) -> T:
    """Parse the whole text as one expression of a sort. Raises SpecError E120, E121 or E126."""
    cursor = Cursor(node)
    parsed = cursor.parse(grammar)
    finish(cursor, grammar)
    return parsed


def finish(cursor: Cursor, grammar: Grammar[T]) -> None:
    """Check that the text ends here. Raises SpecError E120 if a token follows."""
    if not cursor.done:
        help = grammar.helps.get(cursor.token.text)
        if help is None and cursor.token.kind in ("name", "number"):
            help = f"write an operator before it, or remove `{cursor.token.text}`"
        cursor.fail("an operator or the end", help=help)
