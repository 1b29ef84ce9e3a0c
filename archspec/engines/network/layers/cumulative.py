"""Cumulative sums."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("CUMULATIVE")
def cumulative(at: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    """Sum up to each position along an axis: without that position if `exclusive`, from the end if `reverse`."""
    if at["op"] != "SUM":
        raise UnsupportedError(f"its op `{at['op']}` is not supported")
    place = int(axis)
    turned = x.flip(place) if at["reverse"] else x
    total = turned.cumsum(place)
    if at["exclusive"]:
        total = total - turned
    return total.flip(place) if at["reverse"] else total
