"""Reductions over axes, and softmax."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, bits, computes, given
from archspec.engines.network.plan import Attributes

Reduction = Callable[[Tensor, list[int]], Tensor]


def _product(x: Tensor, axes: list[int]) -> Tensor:
    """Multiply over several axes, which torch does for one axis only."""
    for axis in axes:
        x = x.prod(axis, keepdim=True)
    return x


REDUCTIONS: dict[str, Reduction] = {
    "SUM": lambda x, axes: x.sum(axes, keepdim=True),
    "PROD": _product,
    "MAX": lambda x, axes: x.amax(axes, keepdim=True),
    "MIN": lambda x, axes: x.amin(axes, keepdim=True),
    "AVG": lambda x, axes: x.mean(axes, keepdim=True),
    "NONE": lambda x, axes: x,
}


@computes("REDUCE")
def reduce(at: Attributes, x: Tensor) -> Tensor:
    """Return the sum, product, maximum, minimum or mean over some axes.

    The axes are kept with size 1 if `keep_dims` is set, otherwise removed.
    """
    axes = bits(at["axes"])
    reduction: Reduction = given("op", REDUCTIONS, at)
    found = reduction(x, axes)
    return found if at["keep_dims"] else found.squeeze(axes)


@computes("SOFTMAX")
def softmax(at: Attributes, x: Tensor) -> Tensor:
    """Return exp(x) divided by its sum along one axis."""
    axes = bits(at["axes"])
    if len(axes) != 1:
        raise UnsupportedError(f"it is over {len(axes)} axes")
    return x.softmax(axes[0])
