"""Rules on fields and on affine maps, measured on modules that nobody described and on ONNX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from archspec.checking import compile
from archspec.contract.fitting import onnx_subject
from archspec.contract.report import ContractReport
from archspec.contract.verify import verify
from archspec.spec import load
from archspec.spec.claims import read_claims
from archspec.testing import assert_contract

HEAD = """archspec: 1
name: local
dims: {batch: [1, 2, 4], time: [12, 20, 48]}
inputs:
  x: float[batch, 3, time]
"""
CLAIMS = """
outputs:
  y: float[batch, 3, time]
rules:
  - receptive_field: {output: y, input: x, axis: 2, at_most: 7}
  - affine: {output: y, input: x}
"""
GRAPH = """
graph:
  y:
    - {block: conv, input: x, channels: 4, kernel: 3, padding: 1}
    - {block: conv, channels: 3, kernel: 3, dilation: 2, padding: 2}
"""


class Local(nn.Module):
    """Two convolutions that see 7 samples; `mistake` lets them see more, or curves them."""

    def __init__(self, mistake: str = "") -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 4, 3, padding=1)
        self.second = nn.Conv1d(4, 3, 3, dilation=2, padding=2)
        self.mistake = mistake

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The samples."""
        h = self.first(x)
        h = torch.relu(h) if self.mistake == "relu" else h
        y = self.second(h)
        if self.mistake == "far":
            y = y + 0.01 * torch.roll(x, 4, dims=2)
        if self.mistake == "mean":
            y = y - x.mean(2, keepdim=True)
        return {"y": y * torch.sigmoid(y) if self.mistake == "gate" else y}


def outcomes(report: ContractReport) -> list[str]:
    return [one.status for one in report.findings if one.claim.startswith(("receptive_field", "affine"))]


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ("", ["holds", "holds"]),
        ("far", ["violated", "holds"]),
        ("mean", ["violated", "holds"]),
        ("relu", ["holds", "violated"]),
        ("gate", ["holds", "violated"]),
    ],
)
def test_modules_of_strangers(mistake: str, expected: list[str]) -> None:
    torch.manual_seed(0)
    claims, model = read_claims(HEAD + CLAIMS), Local(mistake)
    if expected == ["holds", "holds"]:
        assert outcomes(assert_contract(model, claims)) == expected
        return
    with pytest.raises(AssertionError) as error:
        assert_contract(model, claims)
    lines = [line for line in str(error.value).splitlines() if line.strip().startswith(("receptive_field", "affine"))]
    assert ["violated" if line.endswith("violated") else "holds" for line in lines] == expected


def test_the_compiled_module_holds(tmp_path: Path) -> None:
    path = tmp_path / "local.yaml"
    path.write_text(HEAD + GRAPH + CLAIMS)
    assert outcomes(assert_contract(compile(path), load(path))) == ["holds", "holds"]


def convolution(path: Path, kernel: int, *, relu: bool) -> Path:
    """An ONNX file of one convolution."""
    weights = np.random.default_rng(0).normal(size=(3, 3, kernel)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["h"], pads=[kernel // 2] * 2)]
    nodes.append(helper.make_node("Relu" if relu else "Identity", ["h"], ["y"]))
    shape = ["batch", 3, "time"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "conv", values[:1], values[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("kernel", "relu", "expected"),
    [(7, False, ["holds", "holds"]), (9, False, ["violated", "holds"]), (7, True, ["holds", "violated"])],
)
def test_onnx_files(kernel: int, relu: bool, expected: list[str], tmp_path: Path) -> None:
    claims = read_claims(HEAD + CLAIMS)
    report = verify(onnx_subject(convolution(tmp_path / "conv.onnx", kernel, relu=relu), claims), claims)
    assert outcomes(report) == expected
