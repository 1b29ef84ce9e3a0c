"""Check the values of a checkpoint: finite, and identical bit by bit where tensors are tied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import Collector
from archspec.layouts.tie import Tie

if TYPE_CHECKING:
    from torch import Tensor

_OWN_HEAD = "give the architecture a tensor for each and map both: `tied` would drop one of them"


def check_finite(name: str, tensor: Tensor, found: Collector) -> None:
    """Report E527 for a tensor with NaN or infinity, with the first position; tensors without floats pass."""
    import torch

    if is_finite(tensor):
        return
    wrong = ~torch.isfinite(tensor)
    position = tuple(wrong.nonzero()[0].tolist())
    message = f"`{name}` {list(tensor.shape)} contains {tensor[position].item()} at {list(position)}"
    notes = [f"{int(wrong.sum())} of {tensor.numel()} values are not finite"]
    found.error("E527", message, None, notes=notes, help="use a checkpoint whose values are all finite")


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite; tensors without floats have none."""
    import numpy as np
    import torch

    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    if tensor.dtype in (torch.float32, torch.float64) and tensor.device.type == "cpu":
        # One pass, without threads that wait for each other: a sum is not finite if a term is not. Others may overflow.
        with np.errstate(all="ignore"):
            if np.isfinite(tensor.detach().numpy().sum()):
                return True
    return bool(torch.isfinite(tensor).all())


def check_equal(taken: tuple[str, Tensor], other: tuple[str, Tensor], tie: Tie, found: Collector) -> None:
    """Report E526 for two tensors that `tied` declares equal and that differ in shape, dtype or any bit.

    `taken` and `other` are each a name in the file and its tensor.
    """
    names = " and ".join(f"`{name}` {list(tensor.shape)}" for name, tensor in (taken, other))
    how = difference(taken[1], other[1])
    if how is not None:
        found.error("E526", f"{names} are tied but differ: {how}", tie.name.span, help=_OWN_HEAD)


def difference(one: Tensor, other: Tensor) -> str | None:
    """Describe how two tensors differ, None if they are identical."""
    import torch

    if one.shape != other.shape:
        return f"shapes {list(one.shape)} and {list(other.shape)}"
    if one.dtype != other.dtype:
        return " and ".join(str(x.dtype).removeprefix("torch.") for x in (one, other))
    # The same memory need not be read twice.
    if one.data_ptr() == other.data_ptr() and one.stride() == other.stride():
        return None
    # Bytes are compared because values would treat 0.0 and -0.0 as equal, and NaN as different from itself.
    left, right = (x.detach().contiguous().reshape(-1).view(torch.uint8) for x in (one, other))
    if torch.equal(left, right):
        return None
    differing = (left != right).reshape(*one.shape, -1).any(-1)
    position = tuple(differing.nonzero()[0].tolist())
    values = f"{one[position].item()} and {other[position].item()} at {list(position)}"
    return f"{values}, {int(differing.sum())} of {one.numel()} values in total"
