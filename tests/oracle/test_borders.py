"""What numbers half-way between two that they may be rounded to leave open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.ops.elementwise.rounded import nearest
from archspec.oracle.borders import settled
from archspec.quantising.activations import grids_of, read_grids
from archspec.quantising.spec import quantised
from archspec.spec import load

ONE = """\
archspec: 1
name: one
dims: {batch: [1, 2, 8]}
inputs: {x: "float[batch, 2]"}
graph:
  y: {block: linear, input: x, dim: 1, bias: false}
outputs: {y: "float[batch, 1]"}
"""


def test_only_a_number_at_a_border_leaves_anything_open(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(ONE)
    spec = load(tmp_path / "one.yaml")
    graph = quantised(spec, {}, grids_of(spec.graph, read_grids(["int8"]))).graph
    parameters = {"y.weight": np.array([[3.0, 0.0]]), "y_input.scale": np.array(0.5)}
    # 2.5 steps lie between two; 2.4 do not; of the second feature nothing is read.
    x = np.array([[1.25, 1.0], [1.2, 1.0], [1.0, 1.25]])
    made = settled(graph, {"x": x}, parameters)
    np.testing.assert_allclose(made.outputs["y"][:, 0], [3.0, 3.0, 3.0])
    np.testing.assert_allclose(made.apart["y"][:, 0], [1.5, 0.0, 0.0])
    assert made.farthest == 1.5


@pytest.mark.parametrize("step", ["numbers", "middles"])
def test_floats_of_eight_bits_are_those_of_a_library(step: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    every = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    known = np.unique(every[np.isfinite(every)])
    given = known if step == "numbers" else (known[1:] + known[:-1]) / 2
    given = np.concatenate([given, given * (1 + 1e-6), given * (1 - 1e-6)])
    wanted = np.clip(given, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float64)
    np.testing.assert_array_equal(nearest(given, "fp8"), wanted)
    assert nearest(np.array([1e9, -1e9]), "fp8").tolist() == [448.0, -448.0]
