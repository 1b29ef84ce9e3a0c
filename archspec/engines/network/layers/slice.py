"""Slices of a tensor: start, size and stride along each axis, each of which may be a tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes, integers
from archspec.engines.network.plan import Attributes

_PLAIN = ("STRICT_BOUNDS", "WRAP", "CLAMP", "REFLECT")


@computes("SLICE", moves=True)
def slice_(
    at: Attributes,
    x: Tensor,
    start: Tensor | None = None,
    size: Tensor | None = None,
    stride: Tensor | None = None,
    fill: Tensor | None = None,
    axes: Tensor | None = None,
) -> Tensor:
    """Return positions start, start + stride, ... of each axis; a stride of 0 repeats one.

    The mode decides what positions outside the axis read: an error (STRICT_BOUNDS), the value `fill`, or another
    position (WRAP, CLAMP, REFLECT).
    """
    starts, sizes, strides = _numbers(at["start"], start), _numbers(at["shape"], size), _numbers(at["stride"], stride)
    places = _numbers(at["axes"], axes) if axes is not None or at["axes"] else range(x.ndim)
    mode = at["mode"]
    for axis, first, count, step in zip(places, starts, sizes, strides, strict=True):
        axis = axis % x.ndim
        # The whole axis is selected.
        if mode == "STRICT_BOUNDS" and (first, count, step) == (0, x.shape[axis], 1):
            continue
        x = _along(x, axis, torch.arange(count) * step + first, mode, fill)
    return x


def _numbers(static: Sequence[int] | None, given: Tensor | None) -> Sequence[int]:
    """Return the values of a tensor if it is given, otherwise the static ones.

    Raises UnsupportedError if there are neither.
    """
    if given is not None:
        return integers(given)
    if static is None:
        raise UnsupportedError("a start, size or stride is missing")
    return static


def _along(x: Tensor, axis: int, places: Tensor, mode: str, fill: Tensor | None) -> Tensor:
    """Select positions along one axis. Raises IndexError for one outside in strict mode."""
    size = x.shape[axis]
    outside = (places < 0) | (places >= size)
    if mode == "FILL":
        # Clamped only to be able to read: the value replaces these entries below.
        found = x.index_select(axis, places.clamp(0, max(0, size - 1)))
        shape = [len(places) if one == axis else 1 for one in range(x.ndim)]
        value = torch.zeros((), dtype=x.dtype) if fill is None else fill.reshape(()).to(x.dtype)
        return torch.where(outside.reshape(shape), value, found)
    if mode not in _PLAIN:
        raise UnsupportedError(f"its mode `{mode}` is not supported")
    if mode == "STRICT_BOUNDS" and bool(outside.any()):
        raise IndexError(f"positions {places.tolist()[:4]}... are out of range for an axis of size {size}")
    if mode == "WRAP":
        places = places % size
    elif mode == "CLAMP":
        places = places.clamp(0, size - 1)
    elif mode == "REFLECT":
        # A reflection does not repeat the positions at the ends, which its period leaves out.
        period = max(1, 2 * (size - 1))
        places = places % period
        places = torch.where(places < size, places, period - places)
    return x.index_select(axis, places)
