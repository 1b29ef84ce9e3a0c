"""Write values into a tensor at given indices."""

from __future__ import annotations

from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.layers.gather import within
from archspec.engines.network.plan import Attributes


@computes("SCATTER", moves=True)
def scatter(at: Attributes, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """Write single elements along an axis (ELEMENT), or slices at positions of several axes (ND).

    In the mode ND the last axis of `indices` holds one index for each indexed axis of x. Raises IndexError for an index
    outside its axis, UnsupportedError for another mode.
    """
    indices = indices.long()
    if at["mode"] == "ELEMENT":
        axis = at["axis"] % x.ndim
        return x.scatter(axis, within(indices, x.shape[axis]), updates)
    if at["mode"] == "ND":
        places = tuple(within(part, x.shape[axis]) for axis, part in enumerate(indices.unbind(-1)))
        return x.index_put(places, updates)
    raise UnsupportedError(f"its mode `{at['mode']}` is not supported")
