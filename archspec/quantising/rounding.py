"""Rounding of weights: integers and scales for the numbers of one tensor.

A rounding is a function of a tensor and a storage. It chooses the scales, which decide what is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from archspec.ir.storage import Storage

if TYPE_CHECKING:
    from torch import Tensor

_STEPS = 16
_AT_ONCE = 1 << 16
_NARROWEST = 0.72
"""How far the largest number of a group may be cut off: scales are sought from the full range down to this share."""


class Rounding(Protocol):
    """Rounds a tensor; returns integers, int8 in its shape, and scales, float32 in the shape that the storage gives."""

    def __call__(self, weight: Tensor, storage: Storage) -> tuple[Tensor, Tensor]: ...


def nearest(weight: Tensor, storage: Storage) -> tuple[Tensor, Tensor]:
    """The nearest integer of each number, where the largest of a group is the largest integer."""
    groups = _groups(weight, storage)
    scale = _positive(groups.abs().amax(-1) / storage.largest)
    return _shaped(groups, scale, weight, storage)


def least_squares(weight: Tensor, storage: Storage) -> tuple[Tensor, Tensor]:
    """The nearest integers for the scale of each group with the least sum of squared errors among some.

    Scales from the full range downwards are tried, and for the integers of each the scale that suits them best.
    """
    import torch

    groups = _groups(weight, storage)
    flat = groups.reshape(-1, groups.shape[-1])
    # In parts that stay in the processor's cache, since each is read many times.
    count = max(1, _AT_ONCE // flat.shape[-1])
    scale = torch.cat([_best(flat[start : start + count], storage) for start in range(0, len(flat), count)])
    return _shaped(groups, scale.reshape(groups.shape[:-1]), weight, storage)


def suited(weight: Tensor, storage: Storage) -> tuple[Tensor, Tensor]:
    """The rounding for a storage: with four bits scales are sought; with eight the full range loses hardly more."""
    return least_squares(weight, storage) if storage.bits == 4 else nearest(weight, storage)


def _best(groups: Tensor, storage: Storage) -> Tensor:
    """The scale of each group [groups, entries] with the least sum of squared errors."""
    import torch

    full = _positive(groups.abs().amax(-1) / storage.largest)
    best, least = full, torch.full_like(full, torch.inf)
    for step in range(_STEPS):
        tried = full * (1.0 - (1.0 - _NARROWEST) * step / (_STEPS - 1))
        whole = _whole(groups, tried, storage)
        refit = _positive((groups * whole).sum(-1) / (whole * whole).sum(-1).clamp_min(1.0), tried)
        error = (groups - _whole(groups, refit, storage) * refit.unsqueeze(-1)).square().sum(-1)
        best = torch.where(error < least, refit, best)
        least = torch.minimum(error, least)
    return best


def _groups(weight: Tensor, storage: Storage) -> Tensor:
    """The numbers that share a scale, along a last axis of their own: [channels..., blocks, entries], float32."""
    import torch

    wide = weight.detach().to(torch.float32)
    leading = wide.shape[: storage.channels]
    return wide.reshape(*leading, 1, -1) if storage.block is None else wide.reshape(*leading, -1, storage.block)


def _positive(scale: Tensor, otherwise: Tensor | float = 1.0) -> Tensor:
    """Scales, of which those that are not above zero are replaced: a group of zeros has no scale of its own."""
    import torch

    fallback = torch.as_tensor(otherwise, dtype=scale.dtype).expand_as(scale)
    return torch.where(scale > 0, scale, fallback)


def _whole(groups: Tensor, scale: Tensor, storage: Storage) -> Tensor:
    """The nearest integers, or numbers of float8_e4m3fn, as float32."""
    import torch

    if storage.floating:
        quotient = (groups / scale.unsqueeze(-1)).clamp(-storage.largest, storage.largest)
        return quotient.to(torch.float8_e4m3fn).to(groups.dtype)
    return (groups / scale.unsqueeze(-1)).round().clamp(-storage.largest - 1, storage.largest)


def _shaped(groups: Tensor, scale: Tensor, weight: Tensor, storage: Storage) -> tuple[Tensor, Tensor]:
    import torch

    dtype = torch.float8_e4m3fn if storage.floating else torch.int8
    integers = _whole(groups, scale, storage).to(dtype).reshape(weight.shape)
    return integers, scale.reshape(storage.scales(tuple(weight.shape))).contiguous()
