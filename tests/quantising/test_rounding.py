"""Rounding of weights: within half a step, better where scales are sought, exact where numbers are on a grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archspec.ir.storage import Storage
from archspec.quantising.rounding import Rounding, least_squares, nearest

BLOCKS = Storage(bits=4, channels=1, block=32)
STORAGES = [BLOCKS, Storage(bits=8, channels=1), Storage(bits=8, channels=1, block=16), Storage(bits=8, channels=2)]


def weights(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def values(weight: torch.Tensor, storage: Storage, rounding: Rounding) -> np.ndarray:
    integers, scales = rounding(weight, storage)
    assert integers.dtype == torch.int8
    assert tuple(integers.shape) == tuple(weight.shape)
    assert tuple(scales.shape) == storage.scales(tuple(weight.shape))
    assert -storage.largest - 1 <= int(integers.min()) <= int(integers.max()) <= storage.largest
    return storage.values(integers.numpy(), scales.numpy())


@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_the_nearest_is_within_half_a_step(storage: Storage) -> None:
    weight = weights(3, 5, 64) if storage.channels == 2 else weights(6, 64)
    _, scales = nearest(weight, storage)
    step = np.repeat(scales.numpy(), storage.block, axis=-1) if storage.block else scales.numpy()
    assert (np.abs(values(weight, storage, nearest) - weight.numpy()) <= step * 0.5001).all()


def test_sought_scales_are_never_worse_and_nearly_the_best_there_are() -> None:
    weight = weights(16, 32)
    found = ((values(weight, BLOCKS, least_squares) - weight.numpy()) ** 2).sum(-1)
    plain = ((values(weight, BLOCKS, nearest) - weight.numpy()) ** 2).sum(-1)
    assert (found <= plain * (1 + 1e-6)).all()
    assert found.sum() < 0.93 * plain.sum()
    # A finer search over the same range, one row after the other.
    for row, error in zip(weight.numpy(), found, strict=True):
        tried = np.abs(row).max() / 7 * np.linspace(0.6, 1.05, 4000)
        whole = np.clip(np.round(row / tried[:, None]), -8, 7)
        best = ((row - whole * tried[:, None]) ** 2).sum(-1).min()
        assert error <= 1.1 * best


def test_numbers_on_a_grid_are_exact() -> None:
    whole = torch.randint(-7, 8, (4, 64), generator=torch.Generator().manual_seed(1)).float()
    whole[:, ::32] = 7.0
    for rounding in (nearest, least_squares):
        np.testing.assert_allclose(values(whole * 0.125, BLOCKS, rounding), whole.numpy() * 0.125, rtol=1e-6)


def test_zeros_stay_zeros() -> None:
    for rounding in (nearest, least_squares):
        assert not values(torch.zeros(2, 32), BLOCKS, rounding).any()
