"""The largest or smallest elements along an axis, with their indices."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, bits, computes
from archspec.engines.network.plan import Attributes


@computes("TOPK")
def topk(at: Attributes, x: Tensor, count: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the k largest or smallest elements along an axis in order, and their indices.

    Equal elements keep their order. Raises UnsupportedError for several axes.
    """
    axes = bits(at["axes"])
    if len(axes) != 1 or at["op"] not in ("MAX", "MIN"):
        raise UnsupportedError(f"it is `{at['op']}` over {len(axes)} axes")
    # Not torch.topk, which leaves the order of equal elements open.
    values, indices = x.sort(dim=axes[0], descending=at["op"] == "MAX", stable=True)
    kept = at["k"] if count is None else int(count)
    return values.narrow(axes[0], 0, kept), indices.narrow(axes[0], 0, kept)
