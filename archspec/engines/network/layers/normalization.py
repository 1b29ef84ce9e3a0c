"""Normalization by mean and variance over some axes."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, bits, computes
from archspec.engines.network.plan import Attributes


@computes("NORMALIZATION")
def normalization(at: Attributes, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Compute (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes.

    With groups, channels (axis 1) are normalized within each group too.
    """
    groups, axes = at["num_groups"], bits(at["axes"])
    if groups == 1:
        return _scaled(_normal(x, axes, at["epsilon"]), scale, bias)
    if 0 in axes:
        raise UnsupportedError("it has groups and normalizes over the batch axis")
    grouped = x.reshape(len(x), groups, -1, *x.shape[2:])
    # Grouping puts an axis before the spatial ones, which moves them by one.
    normal = _normal(grouped, [2, *(axis + 1 for axis in axes if axis > 1)], at["epsilon"])
    if at["is_v2"]:
        return _scaled(normal.flatten(1, 2), scale, bias)
    # The older layer has one scale for each group.
    widened = [None if one is None else one.unsqueeze(2) for one in (scale, bias)]
    return _scaled(normal, *widened).flatten(1, 2)


def _normal(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """Return x with mean 0 and variance 1 over the axes."""
    centred = x - x.mean(axes, keepdim=True)
    return centred * (centred.square().mean(axes, keepdim=True) + epsilon).rsqrt()


def _scaled(x: Tensor, scale: Tensor | None, bias: Tensor | None) -> Tensor:
    """Apply scale and bias where they are given."""
    found = x if scale is None else x * scale
    return found if bias is None else found + bias
