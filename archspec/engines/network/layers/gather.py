"""Values of a tensor at given indices, in TensorRT's three ways."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("GATHER", moves=True)
def gather(at: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    """Slices along an axis, single numbers along it, or slices at places of several axes."""
    indices = indices.long()
    if at["mode"] == "DEFAULT":
        return _slices(x, indices, at["axis"] % x.ndim, at["num_elementwise_dims"])
    if at["mode"] == "ELEMENT":
        axis = at["axis"] % x.ndim
        return x.gather(axis, within(indices, x.shape[axis]))
    if at["mode"] == "ND":
        return _places(x, indices, at["num_elementwise_dims"])
    raise UnsupportedError(f"its mode `{at['mode']}` is not known")


def within(indices: Tensor, size: int) -> Tensor:
    """Indices counted from the start. Raises IndexError for one beyond the axis."""
    if indices.numel() and (int(indices.min()) < -size or int(indices.max()) >= size):
        raise IndexError(f"index {int(indices.max())} or {int(indices.min())} is out of an axis of size {size}")
    return torch.where(indices < 0, indices + size, indices)


def _slices(x: Tensor, indices: Tensor, axis: int, led: int) -> Tensor:
    if led:
        rows = [_slices(row, chosen, axis - 1, 0) for row, chosen in zip(x, indices, strict=True)]
        return torch.stack(rows)
    found = x.index_select(axis, within(indices, x.shape[axis]).reshape(-1))
    return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _places(x: Tensor, indices: Tensor, led: int) -> Tensor:
    if led:
        return torch.stack([_places(row, chosen, led - 1) for row, chosen in zip(x, indices, strict=True)])
    return x[tuple(within(part, x.shape[axis]) for axis, part in enumerate(indices.unbind(-1)))]


@computes("NON_ZERO", moves=True)
def non_zero(at: Attributes, x: Tensor) -> Tensor:
    """The places of what is not zero: [rank, count]."""
    return x.nonzero().mT


@computes("ONE_HOT", moves=True)
def one_hot(at: Attributes, indices: Tensor, values: Tensor, depth: Tensor) -> Tensor:
    """`values[1]` where an index is met along a new axis, `values[0]` elsewhere."""
    count = int(depth)
    axis = at["axis"] % (indices.ndim + 1)
    classes = torch.arange(count).reshape([count if one == axis else 1 for one in range(indices.ndim + 1)])
    return torch.where(indices.unsqueeze(axis) == classes, values[1], values[0])
