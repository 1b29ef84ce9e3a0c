"""Translate value expressions into primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.unary import Unary
from archspec.ops.elementwise.with_number import WithNumber
from archspec.text.arithmetic import Number
from archspec.text.path import Path
from archspec.text.value import ValueBinary, ValueCall, ValueExpr, paths

Add = Callable[..., Value]
Look = Callable[[Path], Value | Scalar]

_KINDS: dict[str, Literal["add", "subtract", "multiply", "divide"]] = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
}


def build_value(expr: ValueExpr, look: Look, add: Callable[[ValueExpr, Op, tuple[Value, ...]], Value]) -> Value:
    """Build an expression from elementwise ops.

    `look` resolves a path to a value or a number; `add` adds an op for a part of the expression.

    Raises SpecError E219 for an expression that contains no value or applies a function to a number, E303 for a
    division by the number zero.
    """
    made = _build(expr, look, add)
    if isinstance(made, Scalar):
        help = "name an input or a node"
        fail("E219", f"`{expr}` is a number, expected a value", expr.span, help=help)
    return made


def number_of(expr: ValueExpr, look: Look) -> Scalar | None:
    """The number that an expression stands for; None if it contains a value."""
    # Checked first, so that an expression with values is not built here.
    numeric = all(isinstance(look(path), Scalar) for path in paths(expr))
    made = _build(expr, look, _no_node) if numeric else None
    return made if isinstance(made, Scalar) else None


def _no_node(expr: ValueExpr, op: Op, inputs: tuple[Value, ...]) -> Value:
    """Take the place of `add` for expressions of numbers, which need no op."""
    raise ValueError(f"{expr} contains a value, expected numbers only")


def _build(expr: ValueExpr, look: Look, add: Callable[[ValueExpr, Op, tuple[Value, ...]], Value]) -> Value | Scalar:
    """The value or number of an expression, built bottom up."""
    if isinstance(expr, Number):
        return Scalar.of(expr.value)
    if isinstance(expr, Path):
        return look(expr)
    if isinstance(expr, ValueBinary):
        left, right = _build(expr.left, look, add), _build(expr.right, look, add)
        return _binary(expr, left, right, add)
    inner = _build(expr.argument if isinstance(expr, ValueCall) else expr.operand, look, add)
    if isinstance(expr, ValueCall):
        if isinstance(inner, Scalar):
            fail("E219", f"`{expr.function}` takes a value, not a number", expr.span, help="name an input or a node")
        return add(expr, Unary(kind=expr.function), (inner,))  # type: ignore[arg-type]
    return -inner if isinstance(inner, Scalar) else add(expr, Unary(kind="negate"), (inner,))


def _binary(
    expr: ValueBinary,
    left: Value | Scalar,
    right: Value | Scalar,
    add: Callable[[ValueExpr, Op, tuple[Value, ...]], Value],
) -> Value | Scalar:
    """Add the op of a binary expression; two numbers are combined without an op."""
    kind = _KINDS[expr.op]
    if isinstance(left, Value):
        if isinstance(right, Value):
            return add(expr, Binary(kind=kind), (left, right))
        if kind == "divide" and right == Scalar.of(0):
            fail("E303", "division by zero", expr.right.span, help="check the constants that it uses")
        return add(expr, WithNumber(kind=kind, number=right), (left,))
    if isinstance(right, Value):
        return add(expr, WithNumber(kind=kind, number=left, number_first=True), (right,))
    return _numbers(expr, left, right)


def _numbers(expr: ValueBinary, left: Scalar, right: Scalar) -> Scalar:
    """The result of an operator on two numbers. Raises SpecError E303 for a division by zero."""
    if expr.op == "/" and right == Scalar.of(0):
        fail("E303", "division by zero", expr.right.span, help="check the constants that it uses")
    return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[expr.op](right)
