"""The four arithmetic operations: each with its NumPy formula and its operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from archspec.ir.op import ShapeError
from archspec.ir.source import operand
from archspec.ir.types import DType, TensorType

Operation = Literal["add", "subtract", "multiply", "divide"]

FORMULAS: Mapping[Operation, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}
_SIGNS: Mapping[Operation, str] = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def source(kind: Operation, left: str, right: str) -> str:
    """`left + right`, with parentheses where needed."""
    return f"{operand(left)} {_SIGNS[kind]} {operand(right)}"


def refuse_integer_quotient(kind: Operation, type_: TensorType) -> None:
    """Raise ShapeError for a quotient of integers, which would not be an integer."""
    if kind == "divide" and type_.dtype != DType.FLOAT:
        raise ShapeError(f"integers cannot be divided, got {type_}", (0,))
