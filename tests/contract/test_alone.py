"""The rule `alone`, measured on modules that nobody described, on the compiled module and on an ONNX file."""

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
name: padded
dims: {batch: [1, 3, 4], time: [1, 6, 12]}
inputs:
  x: float[batch, time, 4]
  valid: {type: "bool[batch, time]", padding: PADDING}
"""
CLAIMS = """
outputs:
  y: float[batch, 4]
rules:
  - alone: {output: y, input: x, valid: valid}
"""
GRAPH = """
graph:
  seen: {block: attention, query: x, heads: 2, mask: key_valid(valid)}
  y: {block: pool, input: seen, kind: mean, valid: valid}
"""


class Pooled(nn.Module):
    """Attention to valid positions and their mean; `mistake` lets something else of the row matter."""

    def __init__(self, mistake: str) -> None:
        super().__init__()
        self.linear, self.mistake = nn.Linear(4, 4), mistake
        self.places = nn.Parameter(torch.randn(12, 4))

    def forward(self, x: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """The mean."""
        if self.mistake == "absolute":
            x = x + self.places[: x.shape[1]]
        kept = valid[..., None]
        counted = torch.full_like(x[:, 0], x.shape[1]) if self.mistake == "length" else kept.sum(1).clamp(min=1)
        h = torch.tanh(self.linear(x))
        total = h.sum(1) if self.mistake == "padding" else (h * kept).sum(1)
        found = total / counted
        return {"y": found + found.mean(0) if self.mistake == "rows" else found}


def outcome(report: ContractReport) -> str:
    (finding,) = (one for one in report.findings if one.claim.startswith("alone"))
    return finding.status


def judged(mistake: str, padding: str) -> str:
    torch.manual_seed(0)
    claims = read_claims(HEAD.replace("PADDING", padding) + CLAIMS)
    try:
        return outcome(assert_contract(Pooled(mistake), claims))
    except AssertionError as error:
        (line,) = (one for one in str(error).splitlines() if one.strip().startswith("alone"))
        return "violated" if line.endswith("violated") else "holds"


@pytest.mark.parametrize("padding", ["any", "right", "left"])
@pytest.mark.parametrize("mistake", ["", "length", "padding"])
def test_modules_of_strangers(mistake: str, padding: str) -> None:
    assert judged(mistake, padding) == ("violated" if mistake else "holds")


def test_positions_from_the_start_agree_where_padding_is_on_the_right() -> None:
    assert [judged("absolute", padding) for padding in ("any", "left", "right")] == ["violated", "violated", "holds"]


def test_other_rows_matter() -> None:
    assert judged("rows", "any") == "violated"


def test_the_compiled_module_holds(tmp_path: Path) -> None:
    path = tmp_path / "padded.yaml"
    path.write_text(HEAD.replace("PADDING", "any") + GRAPH + CLAIMS)
    assert outcome(assert_contract(compile(path), load(path))) == "holds"


def file(path: Path, mean: str) -> Path:
    """An ONNX file with a mean over positions, of the valid entries: by their number, or by that of all positions."""
    made = helper.make_node
    nodes = [
        made("Cast", ["valid"], ["kept"], to=TensorProto.FLOAT),
        made("Unsqueeze", ["kept", "last"], ["column"]),
        made("Mul", ["x", "column"], ["masked"]),
        made("ReduceSum", ["masked", "first"], ["total"], keepdims=0),
        made("ReduceSum", ["column", "first"], ["count"], keepdims=0),
    ]
    by_all = made("ReduceMean", ["masked", "first"], ["y"], keepdims=0)
    nodes.append(made("Div", ["total", "count"], ["y"]) if mean == "valid" else by_all)
    shapes = {"x": (TensorProto.FLOAT, ["batch", "time", 4]), "valid": (TensorProto.BOOL, ["batch", "time"])}
    inputs = [helper.make_tensor_value_info(name, *shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])]
    fixed = [numpy_helper.from_array(np.array([axis]), name) for name, axis in {"first": 1, "last": -1}.items()]
    graph = helper.make_graph(nodes, "mean", inputs, outputs, fixed)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(("mean", "expected"), [("valid", "holds"), ("all", "violated")])
def test_onnx_files(mean: str, expected: str, tmp_path: Path) -> None:
    claims = read_claims(HEAD.replace("PADDING", "right") + CLAIMS)
    assert outcome(verify(onnx_subject(file(tmp_path / "mean.onnx", mean), claims), claims)) == expected
