"""What blocks demand of the values that they take."""

from __future__ import annotations

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.diagnostics import Label, Span
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.text.pred import PredExpr
from archspec.text.value import ValueExpr

_OTHER = "name another value"


def sequence(cx: Context, expr: ValueExpr, block: str) -> Value:
    """A value of axes (batch, positions, features). Raises E342 for another."""
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank != 3:
        cx.fail("E342", f"{block} takes float[batch, positions, features], got {value.type}", expr.span, help=_OTHER)
    return value


def floats(cx: Context, expr: ValueExpr, block: str) -> Value:
    """A value of floats with at least one axis. Raises E342 for another."""
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank < 1:
        cx.fail("E342", f"{block} takes floats with at least one axis, got {value.type}", expr.span, help=_OTHER)
    return value


def integers(cx: Context, expr: ValueExpr, block: str) -> Value:
    """Integers with at least one axis. Raises E342 for another value."""
    value = cx.value(expr)
    if not value.type.dtype.is_integer or value.type.rank < 1:
        cx.fail("E342", f"{block} must be integers, got {value.type}", expr.span, help=_OTHER)
    return value


def ids(cx: Context, expr: ValueExpr, block: str, rows: int, place: Span | None, *, what: str) -> Value:
    """Integers that index a table of `rows` rows, given at `place`. Raises E342, E343."""
    value = integers(cx, expr, block)
    bound = value.type.bound
    if bound is not None and compare(bound, "<=", rows) is not True:
        labels = (cx.origin(value), None if place is None else Label(place, f"{rows} rows"))
        cx.fail(
            "E343",
            f"ids below {bound} may exceed the {rows} rows of {what}",
            expr.span,
            secondary=[label for label in labels if label is not None],
            help="the bound of the ids must not exceed the number of rows",
        )
    return value


def same_shape(cx: Context, value: Value, shape: tuple[Dim, ...], span: Span, what: str) -> None:
    """Demand that a value has just these axes. Raises E347."""
    found = value.type.shape
    if len(found) != len(shape) or any(compare(a, "==", b) is not True for a, b in zip(found, shape, strict=True)):
        axes = ", ".join(map(str, shape))
        cx.fail(
            "E347",
            f"{what} is {value.type}, expected the axes [{axes}]",
            span,
            help=f"name a value with the axes [{axes}]",
        )


def valid_positions(cx: Context, expr: PredExpr, x: Value) -> Value:
    """A bool for every position of `x`, whose axes are (batch, positions, ...). Raises E347."""
    value = cx.predicate(expr)
    same_shape(cx, value, x.type.shape[:2], expr.span, "`valid`")
    return value
