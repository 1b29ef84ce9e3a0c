"""Integers with scales as floats."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import computes
from archspec.engines.network.plan import Attributes


@computes("DEQUANTIZE")
def dequantize(at: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Return `(x - zero) * scale`; there is one scale, one for each entry of an axis, or one for each block."""
    moved = x.to(scale.dtype) if zero is None else x.to(scale.dtype) - _spread(zero.to(scale.dtype), x, at)
    return moved * _spread(scale, x, at)


def _spread(scale: Tensor, x: Tensor, at: Attributes) -> Tensor:
    """The scale of each integer. Raises ValueError if the blocks do not divide the integers."""
    if scale.ndim == 1 and scale.numel() > 1:
        return scale.reshape([-1 if axis == at["axis"] % x.ndim else 1 for axis in range(x.ndim)])
    if scale.numel() == 1:
        return scale.reshape([1] * x.ndim)
    for axis, (size, count) in enumerate(zip(x.shape, scale.shape, strict=True)):
        if size % count:
            raise ValueError(f"{count} blocks do not divide {size} integers")
        scale = torch.repeat_interleave(scale, size // count, dim=axis)
    return scale
