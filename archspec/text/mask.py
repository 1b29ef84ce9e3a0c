"""The syntax of the sort `mask`: atoms joined by `&` and `|`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import field, replace
from typing import Any, Generic, NoReturn, Protocol, TypeVar, cast

from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean, nearest
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.expr import EXPR, Expr
from archspec.text.junction import Junction
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.path import Path, path_of, read_path
from archspec.text.pratt import Cursor, Grammar, parse_whole
from archspec.text.pred import PRED, PredExpr

_OR, _AND, _ATOM = 10, 20, 40


T = TypeVar("T")


@record(eq=False)
class Argument(Generic[T]):
    """The sort of an atom's argument: how it is parsed, and an example for messages."""

    example: str
    parse: Callable[[Cursor], T]

    def of(self, call: MaskCall) -> T:
        """The argument of `call`, typed. The call must have been parsed with this sort: nothing is checked here."""
        return cast(T, call.argument)


class MaskWord(Protocol):
    """What the parser needs to know of an atom: the sort of its argument, None for an atom without one."""

    @property
    def argument(self) -> Argument[Any] | None:
        """The sort of the argument."""


@record
class MaskCall:
    """An atom: its word, and its argument in brackets if it takes one."""

    word: str
    argument: Expr | PredExpr | Path | None
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return self.word if self.argument is None else f"{self.word}({self.argument})"


@record
class MaskName:
    """The name of a field of sort `mask` of the enclosing user-defined block."""

    name: str
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return self.name


class MaskAnd(Junction["MaskSyntax"]):
    """The (query, key) pairs that both operands allow."""

    op = "&"
    power = _AND


class MaskOr(Junction["MaskSyntax"]):
    """The (query, key) pairs that at least one operand allows."""

    op = "|"
    power = _OR


MaskSyntax = MaskCall | MaskName | MaskAnd | MaskOr


def expr_argument(example: str) -> Argument[Expr]:
    """The sort of an argument that is a size; `example` is shown in messages."""
    return Argument(example=example, parse=lambda cursor: cursor.parse(EXPR))


def pred_argument(example: str) -> Argument[PredExpr]:
    """The sort of an argument that is a predicate; `example` is shown in messages."""
    return Argument(example=example, parse=lambda cursor: cursor.parse(PRED))


def path_argument(example: str) -> Argument[Path]:
    """The sort of an argument that is the path of a value; `example` is shown in messages."""
    return Argument(example=example, parse=read_path)


def expr_or_path_argument(example: str) -> Argument[Expr | Path]:
    """The sort of an argument that is a size or a value; `example` is shown in messages.

    A bare name, which may be either, is parsed as an expression; only a dotted name is a path.
    """
    return Argument(example=example, parse=_expr_or_path)


def _expr_or_path(cursor: Cursor) -> Expr | Path:
    """Parse a path if the next token is dotted, otherwise an expression."""
    if cursor.token.kind == "name" and "." in cursor.token.text:
        return path_of(cursor.advance())
    return cursor.parse(EXPR)


def parse_mask(node: TextNode, words: Mapping[str, MaskWord], fields: Collection[str] = ()) -> MaskSyntax:
    """Parse a field's text as a mask.

    `words` are the known atoms; `fields` names the mask fields of the enclosing user-defined block.

    Raises SpecError E120, E121, E122 or E126 as the other sorts do, E123 for an unknown atom.
    """
    return parse_whole(node, _grammar(words, frozenset(fields)))


def _grammar(words: Mapping[str, MaskWord], fields: frozenset[str]) -> Grammar[MaskSyntax]:
    """The grammar of masks over these words. It is built for each text: the words are not known to this module."""

    def operand(cursor: Cursor) -> MaskSyntax:
        # Atoms come before fields: a field cannot have the name of an atom, which is reserved.
        token = cursor.token
        if cursor.at("("):
            inner, span = cursor.brackets(lambda inside: inside.parse(grammar))
            return replace(inner, span=span)
        if token.kind != "name" or token.text in ("and", "or", "not"):
            cursor.fail(grammar.expected, help=_HELPS.get(token.text))
        cursor.advance()
        if token.text in words:
            return _call(cursor, token, words[token.text])
        if token.text in fields and not cursor.at("("):
            return MaskName(name=token.text, span=token.span)
        _unknown(token, (*words, *fields), called=cursor.at("("))

    infix = {one.op: one.infix() for one in (MaskOr, MaskAnd)}
    grammar: Grammar[MaskSyntax] = Grammar(operand=operand, infix=infix, expected="a mask", helps=_HELPS)
    return grammar


def _call(cursor: Cursor, atom: Token, word: MaskWord) -> MaskSyntax:
    """Parse an atom: its argument in brackets if it takes one. Raises SpecError E120."""
    sort = word.argument
    if sort is None:
        if cursor.at("("):
            fail("E120", f"`{atom.text}` does not take an argument", cursor.token.span, help=f"write `{atom.text}`")
        return MaskCall(word=atom.text, argument=None, span=atom.span)
    if not cursor.at("("):
        help = f"write `{atom.text}({sort.example})`"
        fail("E120", f"`{atom.text}` needs an argument", atom.span, help=help)
    argument, span = cursor.brackets(sort.parse)
    return MaskCall(word=atom.text, argument=argument, span=atom.span.to(span))


def _unknown(token: Token, options: Collection[str], *, called: bool) -> NoReturn:
    """Raise SpecError E123 for an unknown atom."""
    help: str | None = did_you_mean(token.text, options, kind="masks")
    if not called and nearest(token.text, options) is None:
        help = f"write `key_valid({token.text})` where `{token.text}` is a bool value"
    fail("E123", f"unknown mask `{token.text}`", token.span, help=help)


_HELPS = {
    "and": "write `&`",
    "or": "write `|`",
    "not": "masks do not support `not`; predicates do: `key_valid(not padding)`",
    ",": "masks do not take commas; join them with `&` or `|`",
}
