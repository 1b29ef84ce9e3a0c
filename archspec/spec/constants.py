"""The section `constants`: named numbers, which may use each other in any order."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.algebra.scalar import BinaryScalar, Ratio, Root, Scalar
from archspec.diagnostics import Collector, Label, Span, fail
from archspec.spec.order import ordered
from archspec.text import expr as text
from archspec.text.expr import Expr

_WAY_OUT = {
    "constants": "give one of them a number",
    "nodes": "make one of them depend only on values that are defined before it",
    "blocks": "a block cannot contain itself; `repeat` runs one several times",
}
# Limits for exact arithmetic: without them, a short text such as `2*2*2*...` or nested roots could exhaust the memory.
_MAX_BITS = 4096
_MAX_TREE = 256
_ONLY_CONSTANTS = "use only numbers and constants, or write the expression where it is needed"


def evaluate_constants(exprs: Mapping[str, Expr], places: Mapping[str, Span], errors: Collector) -> dict[str, Scalar]:
    """The value of each constant, without those that have an error; every independent error is collected.

    `places` are the spans of all names of the file, including dims, which constants may not use.
    """
    order = ordered({name: text.names(expr) for name, expr in exprs.items()})
    report_circles(order.circles, places, "constants", errors)
    values: dict[str, Scalar] = {}
    for name in order.names:
        expr = exprs[name]
        # A constant that uses a failed one is skipped: its error would only be a consequence.
        if all(used in values or used not in exprs for used in text.names(expr)):
            with errors.catching():
                values[name] = _value(expr, values, places)
    return values


def report_circles(
    circles: tuple[tuple[str, ...], ...], places: Mapping[str, Span], what: str, errors: Collector
) -> None:
    """Collect one error E211 for each cycle of names that use each other; `what` is the plural for the message."""
    for circle in circles:
        following = (*circle[1:], circle[0])
        first, *rest = (Label(places[name], f"uses `{used}`") for name, used in zip(circle, following, strict=True))
        chain = " -> ".join(f"`{name}`" for name in (*circle, circle[0]))
        message = f"cyclic definition of {what}: {chain}" if rest else f"`{circle[0]}` uses itself"
        errors.error("E211", message, first.span, first.text if rest else "", secondary=rest, help=_WAY_OUT.get(what))


def _value(expr: Expr, values: Mapping[str, Scalar], places: Mapping[str, Span]) -> Scalar:
    """The exact value of a constant. Raises SpecError E201 for a dim, E126 for a number that is too complex."""
    for name in text.names(expr):
        if name not in values and name in places:
            message = f"`{name}` is not a constant"
            fail("E201", message, expr.span, secondary=[Label(places[name], "defined here")], help=_ONLY_CONSTANTS)
    value = text.number(expr, values)
    if _weight(value) > _MAX_TREE:
        fail("E126", "this number is too large to be represented exactly", expr.span)
    return value


def _weight(value: Scalar) -> int:
    """The cost of an exact number: its operations; an integer beyond `_MAX_BITS` bits counts as too much."""
    if isinstance(value, BinaryScalar):
        return 1 + _weight(value.left) + _weight(value.right)
    if isinstance(value, Root):
        return 1 + _weight(value.inner)
    whole = value.constant() if isinstance(value, Ratio) else None
    long = whole is not None and max(whole.numerator.bit_length(), whole.denominator.bit_length()) > _MAX_BITS
    return 1 + _MAX_TREE * long
