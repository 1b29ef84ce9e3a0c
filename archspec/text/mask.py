"""The sort `mask` as syntax: atoms joined by & and |."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import field, replace
from typing import NoReturn

from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean, nearest
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.expr import EXPR, Expr, bracketed
from archspec.text.lexer import Token
from archspec.text.nodes import TextNode
from archspec.text.path import Path, path_of, read_path
from archspec.text.pratt import Cursor, Grammar, Infix, parse_whole
from archspec.text.pred import PRED, PredExpr

_OR, _AND, _ATOM = 10, 20, 40


@record
class MaskAll:
    """Every pair."""

    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return "all"


@record
class MaskCausal:
    """Keys up to the query: j <= i."""

    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return "causal"


@record
class MaskLast:
    """The query's own and the keys before it, `count` in all: i - count < j <= i."""

    count: Expr
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"last({self.count})"


@record
class MaskWithin:
    """Keys at most `distance` away: |i - j| <= distance."""

    distance: Expr
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"within({self.distance})"


@record
class MaskKeyValid:
    """Keys at which a predicate is true."""

    pred: PredExpr
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"key_valid({self.pred})"


@record
class MaskSameSegment:
    """Keys of the query's segment: s[i] = s[j]."""

    path: Path
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"same_segment({self.path})"


@record
class MaskPrefix:
    """The first keys: j < length. A bare name may be a size or a value; it is kept as an expression."""

    length: Expr | Path
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return f"prefix({self.length})"


@record
class MaskField:
    """A field of sort `mask` of the user-defined block around it."""

    name: str
    span: Span = field(compare=False, repr=False)
    power = _ATOM

    def __str__(self) -> str:
        return self.name


@record
class MaskAnd:
    """Pairs that both allow."""

    left: MaskSyntax
    right: MaskSyntax
    span: Span = field(compare=False, repr=False)
    power = _AND

    def __str__(self) -> str:
        return f"{bracketed(self.left, _AND)} & {bracketed(self.right, _AND + 1)}"


@record
class MaskOr:
    """Pairs that either allows."""

    left: MaskSyntax
    right: MaskSyntax
    span: Span = field(compare=False, repr=False)
    power = _OR

    def __str__(self) -> str:
        return f"{bracketed(self.left, _OR)} | {bracketed(self.right, _OR + 1)}"


MaskSyntax = (
    MaskAll
    | MaskCausal
    | MaskLast
    | MaskWithin
    | MaskKeyValid
    | MaskSameSegment
    | MaskPrefix
    | MaskField
    | MaskAnd
    | MaskOr
)


def parse_mask(node: TextNode, known_names: Collection[str] = ()) -> MaskSyntax:
    """The mask that a field's text holds; `known_names` are the mask fields of the block around it.

    Raises SpecError E120, E121, E122, E123 for an unknown atom, or E126.
    """
    mask = parse_whole(node, MASK)
    for atom in _fields(mask):
        if atom.name not in known_names:
            value = f"write `key_valid({atom.name})` where `{atom.name}` is a bool value"
            _unknown(atom.name, atom.span, (*ATOMS, *known_names), value)
    return mask


def _operand(cursor: Cursor) -> MaskSyntax:
    token = cursor.token
    if cursor.at("("):
        inner, span = cursor.brackets(lambda inside: inside.parse(MASK))
        return replace(inner, span=span)
    if token.kind != "name" or token.text in ("and", "or", "not"):
        cursor.fail(MASK.expected, help=MASK.helps.get(token.text))
    cursor.advance()
    if cursor.at("("):
        return _with_argument(cursor, token)
    if token.text in _ARGUMENTS:
        example = _ARGUMENTS[token.text]
        fail("E120", f"`{token.text}` needs an argument", token.span, help=f"write `{token.text}({example})`")
    plain = _PLAIN.get(token.text)
    return MaskField(name=token.text, span=token.span) if plain is None else plain(span=token.span)


def _with_argument(cursor: Cursor, atom: Token) -> MaskSyntax:
    if atom.text in _PLAIN:
        fail("E120", f"`{atom.text}` takes no argument", cursor.token.span, help=f"write `{atom.text}`")
    read = _READERS.get(atom.text)
    if read is None:
        _unknown(atom.text, atom.span, ATOMS)
    return read(cursor, atom)


def _last(cursor: Cursor, atom: Token) -> MaskSyntax:
    count, span = cursor.brackets(lambda inside: inside.parse(EXPR))
    return MaskLast(count=count, span=atom.span.to(span))


def _within(cursor: Cursor, atom: Token) -> MaskSyntax:
    distance, span = cursor.brackets(lambda inside: inside.parse(EXPR))
    return MaskWithin(distance=distance, span=atom.span.to(span))


def _key_valid(cursor: Cursor, atom: Token) -> MaskSyntax:
    pred, span = cursor.brackets(lambda inside: inside.parse(PRED))
    return MaskKeyValid(pred=pred, span=atom.span.to(span))


def _same_segment(cursor: Cursor, atom: Token) -> MaskSyntax:
    path, span = cursor.brackets(read_path)
    return MaskSameSegment(path=path, span=atom.span.to(span))


def _prefix(cursor: Cursor, atom: Token) -> MaskSyntax:
    length, span = cursor.brackets(_length)
    return MaskPrefix(length=length, span=atom.span.to(span))


def _length(cursor: Cursor) -> Expr | Path:
    if cursor.token.kind == "name" and "." in cursor.token.text:
        return path_of(cursor.advance())
    return cursor.parse(EXPR)


def _and(left: MaskSyntax, token: Token, right: MaskSyntax) -> MaskSyntax:
    return MaskAnd(left=left, right=right, span=left.span.to(right.span))


def _or(left: MaskSyntax, token: Token, right: MaskSyntax) -> MaskSyntax:
    return MaskOr(left=left, right=right, span=left.span.to(right.span))


def _fields(mask: MaskSyntax) -> Iterator[MaskField]:
    if isinstance(mask, MaskField):
        yield mask
    elif isinstance(mask, (MaskAnd, MaskOr)):
        yield from _fields(mask.left)
        yield from _fields(mask.right)


def _unknown(word: str, span: Span, options: Collection[str], otherwise: str | None = None) -> NoReturn:
    known = otherwise is None or nearest(word, options) is not None
    help = did_you_mean(word, options, kind="masks") if known else otherwise
    fail("E123", f"unknown mask `{word}`", span, help=help)


_PLAIN: dict[str, Callable[..., MaskSyntax]] = {"all": MaskAll, "causal": MaskCausal}
_ARGUMENTS = {"last": "n", "within": "n", "key_valid": "valid", "same_segment": "segments", "prefix": "p"}
_READERS: dict[str, Callable[[Cursor, Token], MaskSyntax]] = {
    "last": _last,
    "within": _within,
    "key_valid": _key_valid,
    "same_segment": _same_segment,
    "prefix": _prefix,
}
ATOMS = (*_PLAIN, *_ARGUMENTS)

MASK: Grammar[MaskSyntax] = Grammar(
    operand=_operand,
    infix={"|": Infix(power=_OR, build=_or), "&": Infix(power=_AND, build=_and)},
    expected="a mask",
    helps={
        "and": "write `&`",
        "or": "write `|`",
        "not": "masks have no `not`; a predicate has: `key_valid(not padding)`",
        ",": "masks take no commas; join them by `&` or `|`",
    },
)
