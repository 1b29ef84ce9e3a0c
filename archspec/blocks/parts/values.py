"""Checks of the values that blocks take."""

from __future__ import annotations

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.diagnostics import Label, Span, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.text.pred import PredExpr
from archspec.text.value import ValueExpr

_OTHER = "name another value"


def sequence(cx: Context, expr: ValueExpr, block: str) -> Value:
    """The value of an expression, checked to be float[batch, positions, features]. Raises SpecError E342 if it is not.

    `block` names what takes the value in messages.
    """
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank != 3:
        fail("E342", f"{block} takes float[batch, positions, features], got {value.type}", expr.span, help=_OTHER)
    return value


def floats(cx: Context, expr: ValueExpr, block: str) -> Value:
    """The value of an expression, checked to be floats with at least one axis. Raises SpecError E342 if it is not."""
    value = cx.value(expr)
    if value.type.dtype != DType.FLOAT or value.type.rank < 1:
        fail("E342", f"{block} takes floats with at least one axis, got {value.type}", expr.span, help=_OTHER)
    return value


def integers(cx: Context, expr: ValueExpr, block: str) -> Value:
    """The value of an expression, checked to be integers with at least one axis. Raises SpecError E342 if it is not."""
    value = cx.value(expr)
    if not value.type.dtype.is_integer or value.type.rank < 1:
        fail("E342", f"{block} must be integers, got {value.type}", expr.span, help=_OTHER)
    return value


def ids(cx: Context, expr: ValueExpr, block: str, rows: int, place: Span | None, *, what: str) -> Value:
    """The value of an expression, checked to be integers that index a table of `rows` rows.

    `place` is where the number of rows is written, `what` names the table. Raises SpecError E342 for other values, E343
    for a declared bound that may exceed the rows.
    """
    value = integers(cx, expr, block)
    bound = value.type.bound
    # Nothing is known of ids without a declared bound, so nothing can be refused.
    if bound is not None and compare(bound, "<=", rows) is not True:
        labels = (cx.origin(value), None if place is None else Label(place, f"{rows} rows"))
        fail(
            "E343",
            f"ids below {bound} may exceed the {rows} rows of {what}",
            expr.span,
            secondary=[label for label in labels if label is not None],
            help="the bound of the ids must not exceed the number of rows",
        )
    return value


def same_shape(value: Value, shape: tuple[Dim, ...], span: Span, what: str) -> None:
    """Check that a value has exactly the axes `shape`. Raises SpecError E347 if it does not."""
    found = value.type.shape
    if len(found) != len(shape) or any(compare(a, "==", b) is not True for a, b in zip(found, shape, strict=True)):
        axes = ", ".join(map(str, shape))
        fail(
            "E347",
            f"{what} is {value.type}, expected the axes [{axes}]",
            span,
            help=f"name a value with the axes [{axes}]",
        )


def valid_positions(cx: Context, expr: PredExpr, x: Value) -> Value:
    """The bool [batch, positions] of a predicate over `x` [batch, positions, ...]. Raises SpecError E347."""
    value = cx.predicate(expr)
    same_shape(value, x.type.shape[:2], expr.span, "`valid`")
    return value
