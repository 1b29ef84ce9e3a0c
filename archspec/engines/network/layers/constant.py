"""Constants, and layers that only change the type of their input."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("CONSTANT", moves=True)
def constant(at: Attributes) -> Tensor:
    """Return a tensor on TensorRT's own memory."""
    return weights(at["weights"]).reshape(at["shape"])


def weights(array: Any) -> Tensor:
    """Return an array of weights as a tensor on the same memory; uint16 stands for bfloat16."""
    if array.dtype.name == "float8_e4m3fn":
        return weights(array.view("uint8")).view(torch.float8_e4m3fn)
    with warnings.catch_warnings():
        # The memory may be read-only; nothing here writes to it.
        warnings.simplefilter("ignore", UserWarning)
        found = torch.from_numpy(array)
    return found.view(torch.bfloat16) if found.dtype == torch.uint16 else found


@computes("CAST", moves=True)
def cast(at: Attributes, x: Tensor) -> Tensor:
    """Return x; `Execution` converts every result to its declared type."""
    return x


@computes("IDENTITY", moves=True)
def identity(at: Attributes, x: Tensor) -> Tensor:
    """Return x."""
    return x


@computes("ASSERTION", moves=True)
def assertion(at: Attributes, *conditions: Tensor) -> tuple[Tensor, ...]:
    """Return nothing if all conditions hold. Raises UnsupportedError if one does not."""
    if not all(bool(condition.all()) for condition in conditions):
        raise UnsupportedError(f"it asserts: {at['message']}")
    return ()
