"""Circular padding in exported files: slices and concatenations, which give what NumPy's `wrap` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from archspec.engines.export import export_onnx
from archspec.engines.targets.openvino import OpenVINO
from archspec.model.ports import Interface
from archspec.model.written import DimRange, InputPort, WrittenInterface
from tests.engines.models import write_program

SOURCE = """
import torch.nn.functional as F
from torch import Tensor, nn


class Rings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)

    def forward(self, line: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        one = F.pad(line, (1, 3), mode="circular")
        return one, F.pad(line, (0, 2), mode="circular") * 2, F.pad(grid, (2, 0, 1, 4), mode="circular")
"""
INTERFACE: Interface = WrittenInterface(
    dims={
        "batch": DimRange(min=1, typical=2, max=4),
        "length": DimRange(min=3, typical=5, max=20),
        "height": DimRange(min=4, typical=7, max=20),
    },
    inputs={"line": InputPort(type="float[batch, 3, length]"), "grid": InputPort(type="float[batch, 2, height, 5]")},
    outputs={
        "one": "float[batch, 3, length + 4]",
        "two": "float[batch, 3, length + 2]",
        "all": "float[batch, 2, height + 5, 7]",
    },
).read()


def test_what_every_runtime_computes(tmp_path: Path) -> None:
    program = write_program(tmp_path, SOURCE, "Rings", INTERFACE)
    path = tmp_path / "model.onnx"
    export_onnx(program.inside(tmp_path), "float32", path)
    assert "Pad" not in {node.op_type for node in onnx.load(path).graph.node}
    onnx.checker.check_model(path, full_check=True)
    session = InferenceSession(path)
    drawn = np.random.default_rng(0)
    for batch, length, height in ((1, 3, 4), (4, 20, 11)):
        line = drawn.normal(size=(batch, 3, length)).astype(np.float32)
        grid = drawn.normal(size=(batch, 2, height, 5)).astype(np.float32)
        wanted = {
            "one": np.pad(line, ((0, 0), (0, 0), (1, 3)), mode="wrap"),
            "two": np.pad(line, ((0, 0), (0, 0), (0, 2)), mode="wrap") * 2,
            "all": np.pad(grid, ((0, 0), (0, 0), (1, 4), (2, 0)), mode="wrap"),
        }
        found = dict(zip(wanted, session.run(list(wanted), {"line": line, "grid": grid}), strict=True))
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array)
        pytest.importorskip("openvino")
        others = OpenVINO().open(path, INTERFACE).run({"line": line, "grid": grid})
        for name, array in wanted.items():
            np.testing.assert_array_equal(others[name], array)
