"""Shapes as tensors, and axes of size 1."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import computes, integers
from archspec.engines.network.plan import Attributes


@computes("SHAPE", moves=True)
def shape(at: Attributes, x: Tensor) -> Tensor:
    """Return the sizes of all axes."""
    return torch.tensor(x.shape, dtype=torch.int64)


@computes("SQUEEZE", moves=True)
def squeeze(at: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Remove the named axes, which must have size 1, or all axes of size 1 if none is named.

    Raises ValueError for an axis of another size.
    """
    if axes is None:
        return x.squeeze()
    gone = [axis % x.ndim for axis in integers(axes)]
    if any(x.shape[axis] != 1 for axis in gone):
        raise ValueError(f"a removed axis of {list(x.shape)} does not have size 1")
    return x.squeeze(gone)


@computes("UNSQUEEZE", moves=True)
def unsqueeze(at: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    """Insert axes of size 1 at positions of the result."""
    places = integers(axes)
    rank = x.ndim + len(places)
    # From the front, so that each place is one of the result so far.
    for axis in sorted(place % rank for place in places):
        x = x.unsqueeze(axis)
    return x
