"""Split the text of a field into tokens with spans, for expressions, values, predicates, masks, types and paths."""

from __future__ import annotations

import re
from typing import Literal, NoReturn

from archspec.diagnostics.error import fail
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.nodes import TextNode

TokenKind = Literal["name", "number", "sign", "end"]

MAX_TOKENS = 256
"""The most tokens of a text: trees built from them are shallow enough for every recursion over them."""

_MAX_DIGITS = 40
_MAX_EXPONENT = 300
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# Operators of other languages come before the signs, or `**` would be read as two products.
_TOKEN = re.compile(
    rf"(?P<space>[ \t\r\n]+)"
    rf"|(?P<name>{_NAME}(?:\.(?:{_NAME}|0|[1-9][0-9]*)(?![A-Za-z0-9_]))*)"
    rf"|(?P<number>[0-9][A-Za-z0-9_.]*(?:(?<=[0-9.][eE])[+-]?[0-9][A-Za-z0-9_.]*)?|\.[0-9][A-Za-z0-9_.]*)"
    rf"|(?P<foreign>\*\*|\^|&&|\|\||=(?!=)|!(?!=)|~|<>)"
    rf"|(?P<sign>//|<=|>=|==|!=|[-+*/%()\[\],<>&|])"
)
_NUMBER = re.compile(r"(?P<whole>0|[1-9][0-9]*)(?P<part>\.[0-9]+)?(?:[eE](?P<exponent>[+-]?[0-9]+))?")
_FOREIGN = {
    "**": "powers are not supported; write a product",
    "^": "powers are not supported; write a product",
    "&&": "write `&` in a mask, `and` in a predicate",
    "||": "write `|` in a mask, `or` in a predicate",
    "=": "write `==` to compare",
    "!": "write `not`",
    "~": "write `not`",
    "<>": "write `!=`",
}


@record
class Token:
    """A piece of a field's text. A dotted path is one token of kind `name`."""

    kind: TokenKind
    text: str
    span: Span

    @property
    def shown(self) -> str:
        """The token as messages show it."""
        return "the end" if self.kind == "end" else f"`{self.text}`"


def tokenize(node: TextNode) -> tuple[Token, ...]:
    """Split a text into tokens; the last one has kind `end`.

    Raises SpecError E120 at a character that cannot start a token or an operator of another language, E121 at a
    malformed number, E126 for more than `MAX_TOKENS` tokens.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(node.value):
        found = _TOKEN.match(node.value, position)
        kind = "" if found is None else found.lastgroup
        if found is None or kind == "foreign":
            _unexpected(node, position, found.group() if found else node.value[position])
        position = found.end()
        if kind != "space":
            tokens.append(_token(node, found))
        # Inside the loop, so that a text that is far too long is not read to its end.
        if len(tokens) > MAX_TOKENS:
            fail("E126", f"more than {MAX_TOKENS} names, numbers and signs", node.span, help="split it into several")
    tokens.append(Token(kind="end", text="", span=_end(node)))
    return tuple(tokens)


def _token(node: TextNode, found: re.Match[str]) -> Token:
    """The token of a match; a number is checked first."""
    span = node.part(found.start(), found.end())
    if found.lastgroup == "number":
        _check_number(found.group(), span)
        return Token(kind="number", text=found.group(), span=span)
    return Token(kind="name" if found.lastgroup == "name" else "sign", text=found.group(), span=span)


def _end(node: TextNode) -> Span:
    """The place of the end token: the first trailing blank, or an empty span after the last character."""
    length = len(node.value.rstrip())
    return node.part(length, length + 1) if length < len(node.value) else node.part(length, length)


def _unexpected(node: TextNode, position: int, text: str) -> NoReturn:
    """Raise SpecError E120; the help for an operator of another language names the equivalent."""
    span = node.part(position, position + len(text))
    help = _FOREIGN.get(text, "names are letters, digits and underscores")
    fail("E120", f"unexpected `{text}`", span, help=help)


def _check_number(text: str, span: Span) -> None:
    """Raise SpecError E121 for a malformed number, or one with too many digits or too large an exponent."""
    # The token pattern takes malformed numbers too (`08`, `1_000`), so that the error covers the whole of them.
    found = _NUMBER.fullmatch(text)
    if found is None:
        fail("E121", f"`{text}` is not a number", span, help=_number_help(text))
    # `Fraction` computes 10**exponent exactly: without the limit a short text could use unbounded memory.
    if len(text) > _MAX_DIGITS or abs(int(found.group("exponent") or 0)) > _MAX_EXPONENT:
        help = f"at most {_MAX_DIGITS} characters, exponents within {_MAX_EXPONENT}"
        fail("E121", "number out of range", span, help=help)


def _number_help(text: str) -> str:
    """The help for a malformed number, by its most common mistakes."""
    if re.fullmatch(r"0+[0-9]+(\.[0-9]+)?", text):
        return f"write `{text.lstrip('0') or '0'}`, without leading zeros"
    if re.fullmatch(r"[0-9]+\.", text):
        return f"write `{text}0` or `{text[:-1]}`"
    if re.fullmatch(r"\.[0-9]+", text):
        return f"write `0{text}`"
    if re.fullmatch(r"[0-9]+(_[0-9]+)+", text):
        return f"write `{text.replace('_', '')}`"
    return "numbers are like `8`, `0.1` and `1e-6`; names start with a letter"
