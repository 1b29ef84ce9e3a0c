"""The weights of interpolation along one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from archspec.ir.op import Array

Interpolation = Literal["nearest", "linear", "cubic"]


def interpolation_weights(old: int, new: int, mode: Interpolation) -> Array:
    """The weight of each old position for each new one, [new, old]: corners not aligned, the border repeated outside.

    Source: Keys 1981 for `cubic`, with PyTorch's a = -0.75.
    """
    import numpy as np

    weights = np.zeros((new, old))
    for place in range(new):
        if mode == "nearest":
            weights[place, place * old // new] = 1
            continue
        centre = (place + 0.5) * old / new - 0.5
        if mode == "linear":
            # PyTorch stops the centre at 0 for linear weights only.
            centre = max(centre, 0.0)
        first = int(np.floor(centre))
        # Four taps cover both kernels; the linear one is zero at the outer two. Taps outside repeat the border.
        for tap in range(first - 1, first + 3):
            weights[place, min(max(tap, 0), old - 1)] += _kernel(abs(centre - tap), mode)
    return weights


def _kernel(distance: float, mode: Interpolation) -> float:
    """The weight of a position at a distance: the linear kernel, or that of cubic convolution with PyTorch's a."""
    if mode == "linear":
        return max(1 - distance, 0.0)
    a = -0.75
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4) if distance < 2 else 0.0
