"""The factors by which a GGUF file stretches rotary frequencies, as the scaling that gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_LOW, _HIGH, _ORIGINAL = 1.0, 4.0, 8192
"""What every Llama since 3.1 has; the factors alone do not tell all four numbers."""


def llama3_scaling(factors: Sequence[float], base: float, size: float | None) -> dict[str, Any] | None:
    """Return the scaling of Llama 3.1 that gives these factors, None if none does.

    `factors` divide the frequencies from fast to slow, `base` is that of the rotation, `size` the features of a head.
    """
    if size is None or len(factors) * 2 != size:
        return None
    factor = max(factors)
    expected = llama3_factors(base, int(size), factor, _LOW, _HIGH, _ORIGINAL)
    if not all(math.isclose(one, other, rel_tol=1e-4) for one, other in zip(factors, expected, strict=True)):
        return None
    return {
        "rope_type": "llama3",
        "factor": float(factor),
        "low_freq_factor": _LOW,
        "high_freq_factor": _HIGH,
        "original_max_position_embeddings": _ORIGINAL,
    }


def untold(rotary: Mapping[str, Any]) -> str | None:
    """Why a file does not tell a scaling of `config.json`; None if it does, or for another kind of scaling."""
    if rotary.get("rope_type") != "llama3":
        return None
    names = ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    low, high, original = (rotary.get(name) for name in names)
    if (low, high, original) == (_LOW, _HIGH, _ORIGINAL):
        return None
    return (
        f"of the rotary scaling `llama3` a file holds the factors alone, which tell no `low`, `high` and `original`: "
        f"{_LOW:g}, {_HIGH:g} and {_ORIGINAL} can be written, the spec has {low:g}, {high:g} and {original}"
    )


def llama3_factors(base: float, size: int, factor: float, low: float, high: float, original: int) -> list[float]:
    """Return what divides each frequency: 1 for fast ones, `factor` for slow ones, a blend of frequencies between.

    Source: transformers, `modeling_rope_utils.py`, and llama.cpp, `convert_hf_to_gguf.py`.
    """
    factors = []
    for feature in range(0, size, 2):
        wavelength = 2 * math.pi * base ** (feature / size)
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(factor)
        else:
            blend = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - blend) / factor + blend))
    return factors
