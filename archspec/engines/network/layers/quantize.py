"""Floats as integers, or as floats of eight bits, at a scale."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes

_FP8_LARGEST = 448.0


@computes("QUANTIZE")
def quantize(at: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Return `x / scale`, rounded half to even and cut off where the type ends; there is one scale, and zero is 0."""
    if scale.numel() != 1 or (zero is not None and bool(zero.float().any())):
        raise UnsupportedError("it has several scales, or a zero point that is not 0")
    quotient = x / scale.reshape([1] * x.ndim)
    if at["to_type"] == "INT8":
        return quotient.round().clamp(-128, 127).to(torch.int8)
    if at["to_type"] == "FP8":
        return quotient.clamp(-_FP8_LARGEST, _FP8_LARGEST).to(torch.float8_e4m3fn)
    raise UnsupportedError(f"it gives {at['to_type']}")
