"""Matrix products, and sums of products by an equation."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("MATRIX_MULTIPLY")
def matrix_multiply(at: Attributes, x: Tensor, y: Tensor) -> Tensor:
    """Compute x @ y over the last two axes.

    Each operand may be transposed (TRANSPOSE) or have no row or column axis (VECTOR); leading axes are broadcast.
    """
    left = x.unsqueeze(-2) if at["op0"] == "VECTOR" else _turned(x, at["op0"])
    right = y.unsqueeze(-1) if at["op1"] == "VECTOR" else _turned(y, at["op1"])
    found = left @ right
    if at["op1"] == "VECTOR":
        found = found.squeeze(-1)
    # With two vectors the column axis is gone already, and the row axis is the last one.
    return found.squeeze(-1 if at["op1"] == "VECTOR" else -2) if at["op0"] == "VECTOR" else found


def _turned(x: Tensor, operation: str) -> Tensor:
    """Return an operand as it is or transposed. Raises UnsupportedError for anything else."""
    if operation not in ("NONE", "TRANSPOSE"):
        raise UnsupportedError(f"its operation `{operation}` is not supported")
    return x.mT if operation == "TRANSPOSE" else x


@computes("EINSUM")
def einsum(at: Attributes, *operands: Tensor) -> Tensor:
    """Compute the sum of products that the equation describes."""
    return torch.einsum(at["equation"], *operands)
