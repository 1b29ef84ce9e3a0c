"""Padding of sliding windows at the edges of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError
from archspec.engines.network.plan import Attributes

Sizes = Sequence[int]


def padding(at: Attributes, sizes: Sizes | None, window: Sizes, dilation: Sizes) -> tuple[list[int], list[int]]:
    """Return how many positions are added before and after each spatial axis.

    `sizes` are those of the image, None if padding cannot depend on them (transposed convolutions). Raises
    UnsupportedError for a padding mode that is not supported there.
    """
    mode, stride = at["padding_mode"], at["stride_nd"]
    before, after = list(at["pre_padding"]), list(at["post_padding"])
    if mode == "EXPLICIT_ROUND_DOWN":
        return before, after
    if sizes is None or mode not in ("SAME_UPPER", "SAME_LOWER", "EXPLICIT_ROUND_UP"):
        raise UnsupportedError(f"its padding_mode `{mode}` is not supported")
    for axis, size in enumerate(sizes):
        reach = (window[axis] - 1) * dilation[axis] + 1
        if mode == "EXPLICIT_ROUND_UP":
            # Add the positions that the last window lacks.
            after[axis] += -(size + before[axis] + after[axis] - reach) % stride[axis]
            continue
        # TensorFlow's `SAME`: as many positions as give ceil(size / stride) windows.
        total = max(0, (-(-size // stride[axis]) - 1) * stride[axis] + reach - size)
        small, large = total // 2, total - total // 2
        before[axis], after[axis] = (small, large) if mode == "SAME_UPPER" else (large, small)
    return before, after


def spread(x: Tensor, before: Sizes, after: Sizes, value: float = 0.0) -> Tensor:
    """Pad the last axes with a value; negative counts remove positions."""
    if not any((*before, *after)):
        return x
    # `F.pad` counts axes from the last.
    pairs = [size for pair in zip(reversed(before), reversed(after), strict=True) for size in pair]
    return F.pad(x, pairs, value=value)
