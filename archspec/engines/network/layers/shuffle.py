"""Permute and reshape axes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from archspec.engines.network.functions import computes, integers
from archspec.engines.network.plan import Attributes


@computes("SHUFFLE", moves=True)
def shuffle(at: Attributes, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """Permute the axes of x, reshape it, and permute again.

    In the shape -1 stands for the remaining size, and 0 for the size of that axis of x if zero is a placeholder.
    """
    x = _ordered(x, at["first_transpose"])
    wanted: Sequence[int] | None = at["reshape_dims"] if shape is None else integers(shape)
    if wanted is not None:
        placeholder = at["zero_is_placeholder"]
        kept = [x.shape[axis] if size == 0 and placeholder else size for axis, size in enumerate(wanted)]
        x = x.reshape(kept)
    return _ordered(x, at["second_transpose"])


def _ordered(x: Tensor, order: Sequence[int]) -> Tensor:
    """Permute axes; TensorRT's permutations are longer than the rank, so the rest is cut off."""
    return x.permute(*order[: x.ndim]) if x.ndim else x
