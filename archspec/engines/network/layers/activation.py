"""Activations; some take two parameters, alpha and beta."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from archspec.engines.network.functions import computes, given
from archspec.engines.network.plan import Attributes

Formula = Callable[[Tensor, float, float], Tensor]
FORMULAS: dict[str, Formula] = {
    "RELU": lambda x, a, b: x.relu(),
    "SIGMOID": lambda x, a, b: x.sigmoid(),
    "TANH": lambda x, a, b: x.tanh(),
    "LEAKY_RELU": lambda x, a, b: torch.where(x >= 0, x, a * x),
    # `expm1` keeps the digits of a small x that `exp(x) - 1` would cancel.
    "ELU": lambda x, a, b: torch.where(x >= 0, x, a * x.expm1()),
    "SELU": lambda x, a, b: torch.where(x > 0, b * x, b * a * x.expm1()),
    "SOFTSIGN": lambda x, a, b: x / (1 + x.abs()),
    # `logaddexp` does not overflow for a large x.
    "SOFTPLUS": lambda x, a, b: a * torch.logaddexp(b * x, torch.zeros_like(x)),
    "CLIP": lambda x, a, b: x.clamp(a, b),
    "HARD_SIGMOID": lambda x, a, b: (a * x + b).clamp(0, 1),
    "SCALED_TANH": lambda x, a, b: a * (b * x).tanh(),
    "THRESHOLDED_RELU": lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x)),
    "GELU_ERF": lambda x, a, b: F.gelu(x),
    "GELU_TANH": lambda x, a, b: F.gelu(x, approximate="tanh"),
}


@computes("ACTIVATION")
def activation(at: Attributes, x: Tensor) -> Tensor:
    """Apply a function to each element."""
    formula: Formula = given("type", FORMULAS, at)
    return formula(x, at["alpha"], at["beta"])


@computes("PARAMETRIC_RELU")
def parametric_relu(at: Attributes, x: Tensor, slopes: Tensor) -> Tensor:
    """Rectify with a given slope below zero, broadcast over x."""
    return torch.where(x >= 0, x, slopes * x)
