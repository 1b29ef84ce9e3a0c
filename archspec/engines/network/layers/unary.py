"""Element-wise functions of one tensor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from archspec.engines.network.functions import computes, given
from archspec.engines.network.plan import Attributes

Operation = Callable[[Tensor], Tensor]
OPERATIONS: dict[str, Operation] = {
    "EXP": torch.exp,
    "LOG": torch.log,
    "SQRT": torch.sqrt,
    "RECIP": torch.reciprocal,
    "ABS": torch.abs,
    "NEG": torch.neg,
    "SIN": torch.sin,
    "COS": torch.cos,
    "TAN": torch.tan,
    "SINH": torch.sinh,
    "COSH": torch.cosh,
    "ASIN": torch.asin,
    "ACOS": torch.acos,
    "ATAN": torch.atan,
    "ASINH": torch.asinh,
    "ACOSH": torch.acosh,
    "ATANH": torch.atanh,
    "CEIL": torch.ceil,
    "FLOOR": torch.floor,
    "ERF": torch.erf,
    "NOT": torch.logical_not,
    "SIGN": torch.sign,
    "ROUND": torch.round,
    "ISINF": torch.isinf,
    "ISNAN": torch.isnan,
}


@computes("UNARY")
def unary(at: Attributes, x: Tensor) -> Tensor:
    """Apply a function to each element; ROUND rounds halves to even."""
    operation: Operation = given("op", OPERATIONS, at)
    return operation(x)
