"""Attention of a bundle: its own spec and weights are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file

import archspec


def test_a_bundle_attends_with_its_own_weights(built: Path, spec_file: Path) -> None:
    ids = np.array([[3, 7, 49, 0], [4, 4, 9, 0]])
    inputs = {"ids": ids, "valid": ids != 0}
    found = archspec.attend(built, inputs=inputs, node="states.layers.0", row=1)
    weights = load_file(built / "model.safetensors")
    beside = archspec.attend(spec_file, weights, inputs, node="states.layers.0.attention", row=1)
    assert found.path == beside.path == "states.layers.0.attention"
    assert found.key_labels == ("4", "4", "9", "0")
    assert found.weights.shape == (4, 4, 4)
    assert (found.weights == beside.weights).all()
    assert (found.weights[..., 3] == 0).all()
    assert np.allclose(found.weights.sum(-1), 1)
