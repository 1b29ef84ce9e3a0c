"""Whether the values of a tensor are finite, against NumPy's own answer for each value."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archspec.weights.values import is_finite

CASES = {
    "finite": [1.0, -2.0, 0.0],
    "finite, with a sum that overflows": [3e38, 3e38, 3e38],
    "finite, with sums that overflow either way": [3e38, 3e38, -3e38, -3e38],
    "infinite": [1.0, float("inf"), 0.0],
    "infinities that cancel": [float("inf"), float("-inf")],
    "not a number": [0.0, float("nan")],
    "none": [],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64], ids=str)
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_whether_all_are_finite(values: list[float], dtype: torch.dtype) -> None:
    given = torch.tensor(values, dtype=dtype)
    assert is_finite(given) == bool(np.isfinite(given.to(torch.complex64).numpy()).all())


def test_a_part_with_a_stride_is_taken_as_it_is() -> None:
    given = torch.tensor([[1.0, float("nan")], [2.0, float("inf")]])
    assert is_finite(given[:, 0])
    assert not is_finite(given.t())


def test_integers_are_finite() -> None:
    assert is_finite(torch.tensor([1, 2]))
