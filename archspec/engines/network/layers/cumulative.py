"""Sums along an axis, each position with those before it."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("CUMULATIVE")
def cumulative(at: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    """The sum up to each position, without it where `exclusive`, from the end where `reverse`."""
    if at["op"] != "SUM":
        raise UnsupportedError(f"its op `{at['op']}` is not known")
    place = int(axis)
    turned = x.flip(place) if at["reverse"] else x
    total = turned.cumsum(place)
    if at["exclusive"]:
        total = total - turned
    return total.flip(place) if at["reverse"] else total
