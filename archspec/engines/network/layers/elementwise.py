"""Element-wise operations on two tensors; axes of size 1 are broadcast."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from archspec.engines.network.functions import computes, given
from archspec.engines.network.plan import Attributes

Operation = Callable[[Tensor, Tensor], Tensor]


def _divide(x: Tensor, y: Tensor) -> Tensor:
    """Divide; integers are truncated towards zero."""
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


OPERATIONS: dict[str, Operation] = {
    "SUM": torch.add,
    "PROD": torch.mul,
    "MAX": torch.maximum,
    "MIN": torch.minimum,
    "SUB": torch.sub,
    "DIV": _divide,
    "POW": torch.pow,
    "FLOOR_DIV": torch.floor_divide,
    "AND": torch.logical_and,
    "OR": torch.logical_or,
    "XOR": torch.logical_xor,
    "EQUAL": torch.eq,
    "GREATER": torch.gt,
    "LESS": torch.lt,
}


@computes("ELEMENTWISE")
def elementwise(at: Attributes, x: Tensor, y: Tensor) -> Tensor:
    """Apply an operation to two tensors of the same rank; integers divide towards zero."""
    operation: Operation = given("op", OPERATIONS, at)
    return operation(x, y)
