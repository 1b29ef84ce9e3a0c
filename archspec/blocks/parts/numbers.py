"""Evaluate and check the numbers that a block needs; most must be known before run time."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.context import Context
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Value
from archspec.text.expr import Expr, check_size, written

_FIXED = "use numbers and constants, which are known when the module is built"


def fixed(cx: Context, expr: Expr, field: str) -> int:
    """Evaluate a size that must not depend on dims, such as the shape of a parameter or a number of layers.

    `field` names it in messages. Raises SpecError E341 if it depends on dims.
    """
    dim = cx.size(expr)
    whole = dim.constant
    if whole is None:
        names = ", ".join(f"`{symbol.name}`" for symbol in sorted(dim.symbols(), key=lambda symbol: symbol.name))
        fail("E341", f"`{field}` depends on {names}, which is only known at run time", expr.span, help=_FIXED)
    return whole


def features(x: Value, span: Span | None) -> int:
    """The size of the last axis, which determines the shape of a parameter.

    Raises SpecError E341, at `span`, if it is only known at run time.
    """
    whole = x.type.shape[-1].constant
    if whole is None:
        fail("E341", f"the last axis of {x.type} is only known at run time", span, help="give it a fixed size")
    return whole


def rate(cx: Context, expr: Expr | None, default: float = 0.0) -> float:
    """Evaluate a dropout rate; `default` if not given. Raises SpecError E244 unless it is at least 0 and below 1."""
    if expr is None:
        return default
    value = cx.constant(expr)
    if not 0 <= value < 1:
        fail("E244", f"rate out of range: {value:g}", expr.span, help="a rate must be at least 0 and below 1")
    return value


def rate_of_layers(cx: Context, expr: Expr) -> Scalar | None:
    """Evaluate a rate that may depend on `layer`; None if it is 0 in every layer.

    Raises SpecError E341 if it depends on a dim, E244 unless it is at least 0 and below 1 in every layer.
    """
    value = cx.number(expr)
    symbols = sorted(value.symbols(), key=lambda symbol: symbol.name)
    outside = [symbol.name for symbol in symbols if symbol.name != "layer"]
    if outside:
        fail("E341", f"a rate depends on `{outside[0]}`, which is only known at run time", expr.span, help=_FIXED)
    # Every layer is tried, since an expression in `layer` need not be monotonic.
    layers = range(symbols[0].max + 1) if symbols else range(1)
    rates = [value.evaluate({"layer": layer}) for layer in layers]
    wrong = next((found for found in rates if not 0 <= found < 1), None)
    if wrong is not None:
        fail("E244", f"rate out of range: {wrong:g}", expr.span, help="a rate must be at least 0 and below 1")
    return value if any(rates) else None


def positive(cx: Context, expr: Expr, field: str) -> float:
    """Evaluate a number that is known before run time. Raises SpecError E244 unless it is above 0."""
    value = cx.constant(expr)
    if value <= 0:
        fail("E244", f"`{field}` must be above 0, got {value:g}", expr.span, help="write a number above 0")
    return value


def whole(cx: Context, expr: Expr, field: str) -> int:
    """Evaluate a count.

    Raises SpecError E244 unless it is a whole number of at least 0 known before run time, E303 beyond 64 bits.
    """
    number = cx.number(expr)
    dim = number.as_dim()
    value = None if dim is None else dim.constant
    if dim is None or value is None or value < 0:
        constant = number.constant()
        got = f"`{written(expr)}`" if constant is None else f"{float(constant):g}"
        needed = f"`{field}` must be a whole number of at least 0 that is known before run time, got {got}"
        fail("E244", needed, expr.span)
    check_size(expr, dim)
    return value


def cap(cx: Context, expr: Expr) -> Scalar:
    """Evaluate the cap of a softcap. Raises SpecError E244 if it is a constant that is not above 0."""
    value = cx.number(expr)
    if value.constant() is not None:
        positive(cx, expr, "softcap")
    return value


def offset(cx: Context, expr: Expr, field: str) -> Dim:
    """Evaluate a whole number of positions, which may be negative or depend on dims. Raises SpecError E301."""
    found = cx.number(expr).as_dim()
    if found is None:
        fail("E301", f"`{field}` is not a whole number", expr.span)
    return found
