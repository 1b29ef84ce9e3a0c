"""Element-wise selection between two tensors, and concatenation."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import computes
from archspec.engines.network.plan import Attributes


@computes("SELECT", moves=True)
def select(at: Attributes, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return x where the condition holds, y elsewhere."""
    return torch.where(condition, x, y)


@computes("CONCATENATION", moves=True)
def concatenation(at: Attributes, *parts: Tensor) -> Tensor:
    """Concatenate tensors along an axis."""
    return torch.cat(parts, at["axis"])
