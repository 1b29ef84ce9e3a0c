"""Circular padding in exported files: slices and concatenations, which give what NumPy's `wrap` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
from onnxruntime import InferenceSession

from archspec.engines.export import export_onnx
from archspec.engines.targets.openvino import OpenVINO
from archspec.engines.wrapping import unwrap
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


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    export_onnx(write_program(tmp_path, SOURCE, "Rings", INTERFACE).inside(tmp_path), "float32", path)
    return path


def drawn(batch: int, length: int, height: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"line": (batch, 3, length), "grid": (batch, 2, height, 5)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def assert_wrapped(inputs: dict[str, np.ndarray], found: list[np.ndarray]) -> None:
    line, grid = inputs["line"], inputs["grid"]
    wanted = [
        np.pad(line, ((0, 0), (0, 0), (1, 3)), mode="wrap"),
        np.pad(line, ((0, 0), (0, 0), (0, 2)), mode="wrap") * 2,
        np.pad(grid, ((0, 0), (0, 0), (1, 4), (2, 0)), mode="wrap"),
    ]
    for array, right in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(array, right)


SIZES = [(1, 3, 4), (4, 20, 11)]


def test_what_onnxruntime_computes(exported: Path) -> None:
    assert "Pad" not in {node.op_type for node in onnx.load(exported).graph.node}
    onnx.checker.check_model(exported, full_check=True)
    session = InferenceSession(exported)
    for sizes in SIZES:
        inputs = drawn(*sizes)
        assert_wrapped(inputs, session.run(list(INTERFACE.outputs), inputs))


def test_what_openvino_computes(exported: Path) -> None:
    pytest.importorskip("openvino")
    opened = OpenVINO().open(exported, INTERFACE)
    for sizes in SIZES:
        inputs = drawn(*sizes)
        found = opened.run(inputs)
        assert_wrapped(inputs, [found[name] for name in INTERFACE.outputs])


def test_padding_that_takes_entries_away_is_refused() -> None:
    text = """<ir_version: 9, opset_import: ["": 19]>
        agraph (float[1, 5] x) => (float[1, 6] y)
        <int64[4] pads = {0, -1, 0, 2}> { y = Pad <mode = "wrap"> (x, pads) }"""
    with pytest.raises(AssertionError, match=r"takes none away: \[0, -1, 0, 2\]$"):
        unwrap(onnx_ir.from_proto(onnx.parser.parse_model(text)).graph)
