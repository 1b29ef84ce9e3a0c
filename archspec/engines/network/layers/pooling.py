"""Pooling over spatial windows."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.layers.windows import padding, spread
from archspec.engines.network.plan import Attributes

_LARGEST: Any = {2: F.max_pool2d, 3: F.max_pool3d}
_MEAN: Any = {2: F.avg_pool2d, 3: F.avg_pool3d}


@computes("POOLING")
def pooling(at: Attributes, x: Tensor) -> Tensor:
    """Return the maximum or the mean of each window of x [b c space...].

    Raises UnsupportedError for other types, and for means that count padding of a rounded-up size.
    """
    window = at["window_size_nd"]
    before, after = padding(at, x.shape[2:], window, [1] * len(window))
    if at["type"] == "MAX":
        # Padding must never be the maximum.
        padded = spread(x, before, after, -torch.inf)
        largest: Tensor = _LARGEST[len(window)](padded, window, at["stride_nd"])
        return largest
    if at["type"] != "AVERAGE":
        raise UnsupportedError(f"its type `{at['type']}` is not supported")
    mean: Tensor = _MEAN[len(window)](spread(x, before, after), window, at["stride_nd"])
    if not any((*before, *after)):
        return mean
    if at["average_count_excludes_padding"]:
        # The mean of ones is the share of each window that is not padding.
        counted: Tensor = _MEAN[len(window)](spread(torch.ones_like(x), before, after), window, at["stride_nd"])
        return mean / counted
    if at["padding_mode"] == "EXPLICIT_ROUND_UP":
        raise UnsupportedError("it counts padding, and rounds sizes up")
    return mean
