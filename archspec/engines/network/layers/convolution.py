"""Convolutions and transposed convolutions over one to three spatial axes."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from archspec.engines.network.functions import computes
from archspec.engines.network.layers.constant import weights
from archspec.engines.network.layers.windows import padding, spread
from archspec.engines.network.plan import Attributes

_FORWARD: Any = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: Any = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@computes("CONVOLUTION")
def convolution(at: Attributes, x: Tensor, kernel: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Convolve x [b c space...] with a kernel [o c/groups k...], which is an input or the layer's own."""
    window, groups = at["kernel_size_nd"], at["num_groups"]
    shape = (at["num_output_maps"], x.shape[1] // groups, *window)
    kernel, bias = _parameters(at, x, shape, kernel, bias)
    before, after = padding(at, x.shape[2:], window, at["dilation_nd"])
    # `spread` pads, because torch's own padding is equal at both ends.
    convolve = _FORWARD[len(window)]
    found: Tensor = convolve(
        spread(x, before, after), kernel, bias, stride=at["stride_nd"], dilation=at["dilation_nd"], groups=groups
    )
    return found


@computes("DECONVOLUTION")
def deconvolution(at: Attributes, x: Tensor, kernel: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Apply the transpose of a convolution: x [b c space...], kernel [c o/groups k...].

    Padding is removed from the result.
    """
    window, groups = at["kernel_size_nd"], at["num_groups"]
    shape = (x.shape[1], at["num_output_maps"] // groups, *window)
    kernel, bias = _parameters(at, x, shape, kernel, bias)
    before, after = padding(at, None, window, at["dilation_nd"])
    convolve = _TRANSPOSED[len(window)]
    found: Tensor = convolve(x, kernel, bias, stride=at["stride_nd"], dilation=at["dilation_nd"], groups=groups)
    for axis, (low, high) in enumerate(zip(before, after, strict=True), start=2):
        found = found.narrow(axis, low, found.shape[axis] - low - high)
    return found


def _parameters(
    at: Attributes, x: Tensor, shape: tuple[int, ...], kernel: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return kernel and bias: the inputs where there are any, otherwise the layer's own."""
    if kernel is None:
        kernel = weights(at["kernel"]).to(x.dtype).reshape(shape)
    # TensorRT gives an omitted bias as weights without elements.
    if bias is None and at["bias"] is not None and at["bias"].size:
        bias = weights(at["bias"]).to(x.dtype)
    return kernel, bias
