"""Scale, shift and power: one for all elements, for each channel, or for each element."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.layers.constant import weights
from archspec.engines.network.plan import Attributes


@computes("SCALE")
def scale(at: Attributes, x: Tensor) -> Tensor:
    """Compute (x * scale + shift) ** power; the defaults are 1, 0 and 1."""
    factor, shift, power = (_shaped(at, name, x) for name in ("scale", "shift", "power"))
    found = x if factor is None else x * factor
    found = found if shift is None else found + shift
    return found if power is None else torch.pow(found, power)


def _shaped(at: Attributes, name: str, x: Tensor) -> Tensor | None:
    """Return a parameter in the shape that broadcasts over x, None if it is not given.

    Raises UnsupportedError for a mode other than UNIFORM, CHANNEL and ELEMENTWISE.
    """
    array, mode, axis = at[name], at["mode"], at["channel_axis"]
    if array is None or not array.size:
        return None
    found = weights(array).to(x.dtype)
    if mode == "UNIFORM":
        return found.reshape(())
    if mode == "CHANNEL":
        return found.reshape([-1 if one == axis else 1 for one in range(x.ndim)])
    if mode == "ELEMENTWISE":
        return found.reshape(x.shape[axis:])
    raise UnsupportedError(f"its mode `{mode}` is not supported")
