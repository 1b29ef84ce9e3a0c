"""Resize images with nearest, linear or cubic interpolation, one axis after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes, given, integers
from archspec.engines.network.plan import Attributes

Coordinates = Callable[[Tensor, int, int, float], Tensor]
COORDINATES: dict[str, Coordinates] = {
    "HALF_PIXEL": lambda at, old, new, scale: (at + 0.5) / scale - 0.5,
    "ASYMMETRIC": lambda at, old, new, scale: at / scale,
    "ALIGN_CORNERS": lambda at, old, new, scale: at * ((old - 1) / max(1, new - 1)),
}
Rounding = Callable[[Tensor], Tensor]
ROUNDINGS: dict[str, Rounding] = {
    "HALF_UP": lambda at: (at + 0.5).floor(),
    "HALF_DOWN": lambda at: (at - 0.5).ceil(),
    "FLOOR": torch.floor,
    "CEIL": torch.ceil,
}


@computes("RESIZE")
def resize(at: Attributes, x: Tensor, shape: Tensor | None = None, scales: Tensor | None = None) -> Tensor:
    """Resize x to a shape, or to its sizes times scales, rounded down.

    Interpolation is separable: each axis is multiplied by a matrix of weights. Raises UnsupportedError for an unknown
    mode, rounding or transformation of coordinates, or if there is neither a shape nor scales.
    """
    sizes, factors = _sizes(at, x.shape, shape, scales)
    for axis, (old, new) in enumerate(zip(x.shape, sizes, strict=True)):
        # An axis that keeps its size is still resampled where its scale is not 1.
        if old == new and factors[axis] == 1:
            continue
        weights = _weights(at, old, new, factors[axis]).to(x.dtype)
        x = torch.tensordot(x, weights, dims=([axis], [1])).movedim(-1, axis)
    return x


def _sizes(
    at: Attributes, old: Sequence[int], shape: Tensor | None, scales: Tensor | None
) -> tuple[list[int], list[float]]:
    """Return the new size and the scale factor of each axis. Raises UnsupportedError if neither is given."""
    factors = [float(one) for one in (at["scales"] if scales is None else scales.tolist()) or ()]
    if shape is not None or at["shape"]:
        sizes = list(at["shape"]) if shape is None else integers(shape)
        return sizes, [new / one for new, one in zip(sizes, old, strict=True)]
    if len(factors) != len(old):
        raise UnsupportedError("it has neither a shape nor scales")
    # Rounded down, as TensorRT does.
    return [int(one * factor) for one, factor in zip(old, factors, strict=True)], factors


def _weights(at: Attributes, old: int, new: int, scale: float) -> Tensor:
    """Return the weights of old positions for each new position: [new, old]."""
    places = torch.arange(new, dtype=torch.float64)
    coordinates: Coordinates = given("coordinate_transformation", COORDINATES, at)
    where = coordinates(places, old, new, scale)
    if new == 1 and at["selector_for_single_pixel"] == "UPPER":
        where = torch.zeros_like(where)
    taps = _taps(at, where)
    found = torch.zeros(new, old, dtype=torch.float64)
    for place, weight in taps:
        outside = (place < 0) | (place >= old)
        kept = torch.where(outside, torch.zeros_like(weight), weight) if at["exclude_outside"] else weight
        found.scatter_add_(1, place.clamp(0, old - 1).long()[:, None], kept[:, None])
    # Where taps outside are left out, the others must still add up to 1.
    return found / found.sum(1, keepdim=True)


def _taps(at: Attributes, where: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the old positions that each new one reads, with their weights."""
    mode, low = at["resize_mode"], where.floor()
    share = where - low
    if mode == "NEAREST":
        rounding: Rounding = given("nearest_rounding", ROUNDINGS, at)
        return [(rounding(where), torch.ones_like(where))]
    if mode == "LINEAR":
        return [(low, 1 - share), (low + 1, share)]
    if mode == "CUBIC":
        return [(low + step, _cubic((share - step).abs(), at["cubic_coeff"])) for step in (-1, 0, 1, 2)]
    raise UnsupportedError(f"its resize_mode `{mode}` is not supported")


def _cubic(far: Tensor, a: float) -> Tensor:
    """Keys' cubic convolution kernel at distance `far`, with its coefficient `a`."""
    near = (a + 2) * far**3 - (a + 3) * far**2 + 1
    outer = a * far**3 - 5 * a * far**2 + 8 * a * far - 4 * a
    return torch.where(far <= 1, near, torch.where(far < 2, outer, torch.zeros_like(far)))
