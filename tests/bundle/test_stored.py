"""Stored tensors are read one by one, and are what was stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from archspec.bundle.stored import StoredArrays


def test_arrays_by_name(tmp_path: Path) -> None:
    wide, half = torch.randn(3, 4), torch.randn(5).bfloat16()
    save_file({"wide": wide, "half": half, "count": torch.tensor([7])}, tmp_path / "model.safetensors")
    arrays = StoredArrays(tmp_path / "model.safetensors")
    assert sorted(arrays) == ["count", "half", "wide"]
    assert len(arrays) == 3
    np.testing.assert_array_equal(arrays["wide"], wide.numpy())
    np.testing.assert_array_equal(arrays["half"], half.float().numpy())
    assert arrays["count"].dtype == np.int64
    with pytest.raises(KeyError):
        arrays["missing"]
