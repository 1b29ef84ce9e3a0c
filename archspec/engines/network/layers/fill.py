"""Tensors made from their settings: ranges."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes, integers
from archspec.engines.network.plan import Attributes


@computes("FILL")
def fill(
    at: Attributes, shape: Tensor | None = None, start: Tensor | None = None, step: Tensor | None = None
) -> Tensor:
    """Return a tensor of the given shape: start + the sum over the axes of step times position.

    `shape`, `start` and `step` [rank] may be inputs or the layer's own. Raises UnsupportedError for random fillings,
    which cannot be compared, and if the numbers of steps and axes differ.
    """
    if at["operation"] != "LINSPACE":
        raise UnsupportedError(f"its operation `{at['operation']}` is random")
    sizes: Sequence[int] = at["shape"] if shape is None else integers(shape)
    first = torch.as_tensor(at["alpha"]) if start is None else start.reshape(())
    steps = torch.as_tensor(at["beta"]).reshape(1) if step is None else step.reshape(-1)
    if not len(steps) == len(sizes):
        raise UnsupportedError(f"it has {len(steps)} steps and {len(sizes)} axes")
    found = first.expand(sizes)
    for axis, size in enumerate(sizes):
        places = torch.arange(size).reshape([size if one == axis else 1 for one in range(len(sizes))])
        found = found + steps[axis] * places
    return found
