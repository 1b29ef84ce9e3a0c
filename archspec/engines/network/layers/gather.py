"""Read values of a tensor at given indices, in the three modes of TensorRT."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("GATHER", moves=True)
def gather(at: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    """Gather slices along an axis, single elements along it (ELEMENT), or slices at positions of several axes (ND).

    In the mode ND the last axis of `indices` holds one index for each indexed axis of x. Negative indices count from
    the end. Raises IndexError for an index outside its axis, UnsupportedError for another mode.
    """
    indices = indices.long()
    if at["mode"] == "DEFAULT":
        return _slices(x, indices, at["axis"] % x.ndim, at["num_elementwise_dims"])
    if at["mode"] == "ELEMENT":
        axis = at["axis"] % x.ndim
        return x.gather(axis, within(indices, x.shape[axis]))
    if at["mode"] == "ND":
        return _places(x, indices, at["num_elementwise_dims"])
    raise UnsupportedError(f"its mode `{at['mode']}` is not supported")


def within(indices: Tensor, size: int) -> Tensor:
    """Return indices counted from the start. Raises IndexError for one outside the axis."""
    # An empty tensor has no minimum.
    if indices.numel() and (int(indices.min()) < -size or int(indices.max()) >= size):
        raise IndexError(
            f"index {int(indices.max())} or {int(indices.min())} is out of range for an axis of size {size}"
        )
    return torch.where(indices < 0, indices + size, indices)


def _slices(x: Tensor, indices: Tensor, axis: int, led: int) -> Tensor:
    """Gather slices along an axis; `led` says that both tensors share the first axis."""
    if led:
        rows = [_slices(row, chosen, axis - 1, 0) for row, chosen in zip(x, indices, strict=True)]
        return torch.stack(rows)
    found = x.index_select(axis, within(indices, x.shape[axis]).reshape(-1))
    return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _places(x: Tensor, indices: Tensor, led: int) -> Tensor:
    """Gather slices at positions of several axes; the first `led` axes are shared by both tensors."""
    if led:
        return torch.stack([_places(row, chosen, led - 1) for row, chosen in zip(x, indices, strict=True)])
    return x[tuple(within(part, x.shape[axis]) for axis, part in enumerate(indices.unbind(-1)))]


@computes("NON_ZERO", moves=True)
def non_zero(at: Attributes, x: Tensor) -> Tensor:
    """Return the positions of nonzero elements: [rank, count]."""
    return x.nonzero().mT


@computes("ONE_HOT", moves=True)
def one_hot(at: Attributes, indices: Tensor, values: Tensor, depth: Tensor) -> Tensor:
    """Return `values[1]` where the position along a new axis equals the index, `values[0]` elsewhere."""
    count = int(depth)
    axis = at["axis"] % (indices.ndim + 1)
    classes = torch.arange(count).reshape([count if one == axis else 1 for one in range(indices.ndim + 1)])
    return torch.where(indices.unsqueeze(axis) == classes, values[1], values[0])
