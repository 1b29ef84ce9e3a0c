"""The sort TYPE: a dtype, axes in brackets, and an upper bound for integers."""

from __future__ import annotations

from dataclasses import field

from archspec.diagnostics.error import fail
from archspec.diagnostics.nearest import did_you_mean
from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.expr import EXPR, Expr
from archspec.text.nodes import TextNode
from archspec.text.pratt import Cursor

DTYPES = ("float", "int64", "int32", "bool")
"""Those of the language."""


@record
class TypeSyntax:
    """`int64[batch, src] < vocab`: dtype, axes as expressions, and the exclusive upper bound, None if not given."""

    dtype: str
    axes: tuple[Expr, ...]
    bound: Expr | None
    span: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        written = f"{self.dtype}[{', '.join(str(axis) for axis in self.axes)}]"
        return written if self.bound is None else f"{written} < {self.bound}"


def parse_type(node: TextNode, *more: str) -> TypeSyntax:
    """Parse a field's text as a type; `more` are dtypes beyond those of the language.

    Raises SpecError E120, E121, E122 or E126 as the other sorts do, E124 for an unknown dtype.
    """
    cursor = Cursor(node)
    if cursor.token.kind != "name":
        cursor.fail("a dtype", help=f"a type is like `float[batch, length]`; {_known()}")
    dtype = cursor.advance()
    if dtype.text not in (*DTYPES, *more):
        help = did_you_mean(dtype.text, DTYPES) or _known()
        fail("E124", f"unknown dtype `{dtype.text}`", dtype.span, help=help)
    axes, span = _axes(cursor, dtype.text)
    bound = _bound(cursor, dtype.text)
    if not cursor.done:
        cursor.fail("`<` or the end of the type" if bound is None else "the end of the type")
    whole = dtype.span.to(span if bound is None else bound.span)
    return TypeSyntax(dtype=dtype.text, axes=axes, bound=bound, span=whole)


def _axes(cursor: Cursor, dtype: str) -> tuple[tuple[Expr, ...], Span]:
    """Parse the axes in brackets; returns them with the span of the brackets."""
    if not cursor.at("["):
        cursor.fail("`[`", help=f"write the axes in brackets: `{dtype}[batch, length]`")
    opened = cursor.advance()
    axes = [cursor.parse(EXPR)]
    while cursor.take(","):
        axes.append(cursor.parse(EXPR))
    if not cursor.at("]"):
        cursor.fail("`,` or `]`", help="separate the axes with commas and close the bracket")
    return tuple(axes), opened.span.to(cursor.advance().span)


def _bound(cursor: Cursor, dtype: str) -> Expr | None:
    """Parse `< bound`; None if there is none. Raises SpecError E120 for a bound on a dtype without one."""
    if not cursor.at("<"):
        return None
    if not dtype.startswith("int"):
        cursor.fail("the end of the type", help="only int64 and int32 can have a bound")
    cursor.advance()
    return cursor.parse(EXPR)


def _known() -> str:
    """The help that lists all dtypes."""
    return "the dtypes are " + ", ".join(f"`{dtype}`" for dtype in DTYPES)
