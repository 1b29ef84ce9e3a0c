"""Parameters at which a mistake shows: none is zero or one, and none so large that two right ways differ."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

DEVIATION = 0.05
LARGE = 0.3
"""For comparisons in float64, which rounding leaves room for."""
Module = TypeVar("Module", bound=nn.Module)


def fill(module: Module, seed: int = 0, deviation: float = DEVIATION) -> Module:
    """Fill every parameter from a seeded normal distribution, weights of norms about 1; in eval mode from then on.

    At the usual initialisation half of a model's tensors are zeros and ones, and a lost bias would pass. A weight of a
    norm is known by its axis being its only one and its values being about 1; a norm that multiplies by 1 + w starts
    at zeros, and so is right without a word.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = deviation * torch.randn(parameter.shape, generator=generator)
            about_one = parameter.ndim <= 1 and bool(((parameter - 1).abs() < 0.5).all())
            parameter.copy_(1 + noise if about_one else noise)
    return module.eval()
