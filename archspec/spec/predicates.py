"""Translate predicates into primitives."""

from __future__ import annotations

from collections.abc import Callable

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import DType
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.text.expr import Expr
from archspec.text.path import Path
from archspec.text.pred import PredAnd, PredCompare, PredExpr, PredNot, PredPath

AddPredicate = Callable[[PredExpr, Op, tuple[Value, ...]], Value]


def check_predicate(pred: PredExpr, look: Callable[[Path], Value]) -> None:
    """Check the names and types of a predicate without building it; `look` resolves a path.

    Raises SpecError E219 for a value that is not bool, or a compared value that is not integer; E201 and E218 from
    `look`.
    """
    if isinstance(pred, PredPath):
        _bool(pred, look(pred.path))
    elif isinstance(pred, PredCompare):
        _integer(pred, look(pred.path))
    elif isinstance(pred, PredNot):
        check_predicate(pred.operand, look)
    else:
        check_predicate(pred.left, look)
        check_predicate(pred.right, look)


def build_predicate(
    pred: PredExpr, look: Callable[[Path], Value], number: Callable[[Expr], Scalar], add: AddPredicate
) -> Value:
    """Build a predicate as a bool value. Raises SpecError as `check_predicate` does.

    `look` resolves a path, `number` evaluates the compared expression, and `add` adds an op for a part of it.
    """
    if isinstance(pred, PredPath):
        return _bool(pred, look(pred.path))
    if isinstance(pred, PredCompare):
        value = _integer(pred, look(pred.path))
        return add(pred, Compare(kind=pred.op, number=number(pred.expr)), (value,))  # type: ignore[arg-type]
    if isinstance(pred, PredNot):
        return add(pred, Logical(kind="not"), (build_predicate(pred.operand, look, number, add),))
    left = build_predicate(pred.left, look, number, add)
    right = build_predicate(pred.right, look, number, add)
    return add(pred, Logical(kind="and" if isinstance(pred, PredAnd) else "or"), (left, right))


def _bool(pred: PredPath, value: Value) -> Value:
    """The value, checked to be bool. Raises SpecError E219."""
    if value.type.dtype is not DType.BOOL:
        integer = value.type.dtype.is_integer
        help = f"compare it: `{pred.path} != 0`" if integer else "name a bool, or compare an integer"
        fail("E219", f"`{pred.path}` is {value.type}, but a predicate must be bool", pred.span, help=help)
    return value


def _integer(pred: PredCompare, value: Value) -> Value:
    """The value, checked to be integer. Raises SpecError E219."""
    if not value.type.dtype.is_integer:
        bool_ = value.type.dtype is DType.BOOL
        help = (
            f"write `{pred.path}` or `not {pred.path}`" if bool_ else "predicates do not take floats; name an integer"
        )
        fail("E219", f"`{pred.path}` is {value.type}, but only integers can be compared", pred.span, help=help)
    return value
