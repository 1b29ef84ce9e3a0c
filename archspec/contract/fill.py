"""Parameters for tests: none is exactly zero or one, and none so large that rounding separates correct results."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

# Standard deviation for comparisons in float32.
DEVIATION = 0.05
LARGE = 0.3
"""The scale of parameters for comparisons in float64, whose rounding leaves room for large values."""
Module = TypeVar("Module", bound=nn.Module)


def fill(module: Module, seed: int = 0, deviation: float = DEVIATION) -> Module:
    """Fill every parameter in place from a seeded normal distribution, norm weights around 1, and switch to eval mode.

    At the usual initialisation many tensors are zeros or ones, so that a missing bias would not be noticed. A parameter
    counts as a norm weight if it has at most one axis and all its values are within 0.5 of 1. The weight w of a norm
    that multiplies by 1 + w starts at zeros, and is filled around 0 as it should be.

    Kernels of convolutions that sum few numbers vary more: in eval mode no batch norm restores the scale, and behind
    twenty depthwise convolutions nothing of the input would be left.

    Args:
        module: the module to change.
        seed: seed of the noise, which is drawn on the CPU in the order of the parameters.
        deviation: standard deviation of the noise; a kernel's may be larger (see `_scale`).

    Returns:
        the same module. Buffers are left unchanged.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = _scale(parameter, deviation) * torch.randn(parameter.shape, generator=generator)
            about_one = parameter.ndim <= 1 and bool(((parameter - 1).abs() < 0.5).all())
            parameter.copy_(1 + noise if about_one else noise)
    return module.eval()


def _scale(parameter: torch.Tensor, deviation: float) -> float:
    """The standard deviation for a parameter: of kernels [out, in, space...] so much that sums keep their scale."""
    terms = math.prod(parameter.shape[1:])
    return max(deviation, terms**-0.5) if parameter.ndim > 2 and terms else deviation
