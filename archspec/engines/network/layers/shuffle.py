"""Axes in another order and of other sizes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from archspec.engines.network.functions import computes, integers
from archspec.engines.network.plan import Attributes


@computes("SHUFFLE", moves=True)
def shuffle(at: Attributes, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """x with its axes in an order, then reshaped, then in an order again.

    In the shape -1 stands for what is left, and 0 for the size of the axis there, unless it is said to mean nothing.
    """
    x = _ordered(x, at["first_transpose"])
    wanted: Sequence[int] | None = at["reshape_dims"] if shape is None else integers(shape)
    if wanted is not None:
        placeholder = at["zero_is_placeholder"]
        kept = [x.shape[axis] if size == 0 and placeholder else size for axis, size in enumerate(wanted)]
        x = x.reshape(kept)
    return _ordered(x, at["second_transpose"])


def _ordered(x: Tensor, order: Sequence[int]) -> Tensor:
    return x.permute(*order[: x.ndim]) if x.ndim else x
