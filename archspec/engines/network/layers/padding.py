"""Zero padding."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import computes
from archspec.engines.network.layers.windows import spread
from archspec.engines.network.plan import Attributes


@computes("PADDING", moves=True)
def padding(at: Attributes, x: Tensor) -> Tensor:
    """Add zeros before and after each of the last axes; a negative count removes positions."""
    return spread(x, at["pre_padding_nd"], at["post_padding_nd"])
