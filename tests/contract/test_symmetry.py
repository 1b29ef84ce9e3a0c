"""Rules on symmetry, measured on modules and files by moving their inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from archspec.checking import compile
from archspec.contract.fitting import model_subject, onnx_subject
from archspec.contract.report import ContractReport
from archspec.contract.verify import verify
from archspec.spec import load
from archspec.spec.claims import claims_of
from archspec.testing import assert_contract, read_claims

HEAD = """archspec: 1
name: moved
dims: {batch: [1, 2, 4], rows: {min: 8, typical: 12, max: 40, multiple: 2}}
inputs:
  pixels: float[batch, 3, rows, 6]
"""
OUTPUTS = """
outputs:
  map: float[batch, 4, rows//2, 6]
  scores: float[batch, 5]
rules:
"""
GRAPH = """
graph:
  map:
    - {block: conv, input: pixels, channels: 4, kernel: 3, padding: PADDING, activation: relu}
    - {block: conv, channels: 4, kernel: [2, 1], stride: [2, 1]}
  scores:
    - {block: pool, input: map, kind: mean}
    - {block: linear, dim: 5}
"""
CIRCULAR = "  - equivariant: {output: map, input: pixels, axis: [2, 2], stride: 2, border: circular}\n"
INTERIOR = "  - equivariant: {output: map, input: pixels, axis: [2, 2], stride: 2}\n"
INVARIANT = "  - invariant: {output: scores, input: pixels, axis: 2, stride: 2}\n"


class Maps(nn.Module):
    """Maps as the spec has them, with circular padding or another; `mistake` adds absolute positions or a top row."""

    def __init__(self, padding: str = "circular", mistake: str = "") -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode=padding)
        self.second = nn.Conv2d(4, 4, (2, 1), stride=(2, 1))
        self.out = nn.Linear(4, 5)
        self.mistake = mistake

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """The map and the scores."""
        x = torch.relu(self.first(pixels))
        if self.mistake == "positions":
            x = x + torch.linspace(0, 1, x.shape[2], dtype=x.dtype)[:, None]
        found = self.second(x)
        pooled = found[:, :, 0].mean(-1) if self.mistake == "top" else found.mean((2, 3))
        return {"map": found, "scores": self.out(pooled)}


def outcomes(report: ContractReport) -> list[str]:
    return [one.status for one in report.findings if one.claim.startswith(("equivariant", "invariant"))]


def held(model: nn.Module, rules: str) -> list[str]:
    """The status of each rule on a model that nobody described."""
    try:
        return outcomes(assert_contract(model, read_claims(HEAD + OUTPUTS + rules)))
    except AssertionError as error:
        lines = str(error).splitlines()
        found = [line for line in lines if line.strip().startswith(("equivariant", "invariant"))]
        return ["violated" if line.endswith("violated") else "holds" for line in found]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Maps(), ["holds", "holds"]),
        (Maps("zeros"), ["violated", "violated"]),
        # What is added to a linear map of the positions adds the same to their mean, wherever they move.
        (Maps(mistake="positions"), ["violated", "holds"]),
        (Maps(mistake="top"), ["holds", "violated"]),
    ],
)
def test_modules_of_strangers(model: nn.Module, expected: list[str]) -> None:
    assert held(model, CIRCULAR + INVARIANT) == expected


class Grown(nn.Module):
    """A map with twice the rows, whose kernel leaves no end; with another stride one with three times as many."""

    def __init__(self, stride: int = 2) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(3, 4, (stride, 1), stride=(stride, 1))

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """The map."""
        return {"map": self.grow(pixels)}


@pytest.mark.parametrize(
    ("stride", "rule", "expected"), [(2, "1/2", "holds"), (2, "1", "violated"), (3, "1/3", "holds")]
)
def test_a_map_that_grows_moves_as_many_times_as_far(stride: int, rule: str, expected: str) -> None:
    claims = HEAD + OUTPUTS.replace("rows//2", f"{stride}*rows").replace("  scores: float[batch, 5]\n", "")
    claims += CIRCULAR.replace("stride: 2", f"stride: {rule}")
    try:
        found = outcomes(assert_contract(Grown(stride), read_claims(claims)))
    except AssertionError as error:
        assert "where pixels moves by" in str(error)
        found = ["violated"]
    assert found == [expected]


def test_the_interior_needs_a_graph() -> None:
    report = assert_contract(Maps(), read_claims(HEAD + OUTPUTS + INTERIOR))
    (found,) = [one for one in report.findings if one.claim.startswith("equivariant")]
    assert (found.status, found.detail) == (
        "not measured",
        "without a graph the field of a position is not known: use `border: circular`",
    )


def spec(folder: Path, padding: str, rules: str) -> Path:
    path = folder / "moved.yaml"
    graph = GRAPH.replace("PADDING", padding).replace("kernel: [2, 1], stride: [2, 1]", "kernel: 1")
    outputs = OUTPUTS.replace("rows//2", "rows")
    path.write_text(HEAD + graph + outputs + rules.replace("stride: 2", "stride: 1"), encoding="utf-8")
    return path


def test_compiled_modules_hold_and_modules_that_break_a_rule_do_not(tmp_path: Path) -> None:
    path = spec(tmp_path, "circular", CIRCULAR + INTERIOR + INVARIANT)
    report = assert_contract(compile(path), load(path))
    assert outcomes(report) == ["holds"] * 3

    class Same(Maps):
        def __init__(self, padding: str = "circular", mistake: str = "") -> None:
            super().__init__(padding, mistake)
            self.second = nn.Conv2d(4, 4, 1)

    assert outcomes(assert_contract(Same(), load(path))) == ["holds"] * 3
    for model, expected in (
        (Same("zeros"), ["violated", "holds", "violated"]),
        (Same(mistake="positions"), ["violated", "violated", "holds"]),
    ):
        with pytest.raises(AssertionError) as raised:
            assert_contract(model, load(path))
        lines = [one.strip() for one in str(raised.value).splitlines()]
        found = [one for one in lines if one.startswith(("equivariant", "invariant"))]
        assert ["violated" if one.endswith("violated") else "holds" for one in found] == expected
        assert any("where pixels moves by" in one for one in lines)


FIELD = """archspec: 1
name: field
dims: {batch: [1, 2, 4], x: [1, 16, 64]}
inputs:
  signal: float[batch, 3, x]
graph:
  y: {block: conv, input: signal, channels: 3, kernel: 5, padding: 2}
outputs:
  y: float[batch, 3, x]
rules:
  - equivariant: {output: y, input: signal, stride: 1}
"""


class Signal(nn.Module):
    """A convolution of the field that the spec has, and a statistic over all positions, if there is one."""

    def __init__(self, statistic: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 3, 5, padding=2)
        self.statistic = statistic

    def forward(self, signal: Tensor) -> Tensor:
        """The output, batch x 3 x positions."""
        y: Tensor = self.conv(signal)
        return y if self.statistic is None else y + self.statistic(signal)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        (None, "holds"),
        # A cyclic move changes neither of these.
        (lambda signal: signal.mean(-1, keepdim=True), "violated"),
        (lambda signal: signal.amax(-1, keepdim=True), "violated"),
    ],
)
def test_statistics_over_all_positions_are_no_field(
    tmp_path: Path, statistic: Callable[[Tensor], Tensor] | None, expected: str
) -> None:
    path = tmp_path / "field.yaml"
    path.write_text(FIELD, encoding="utf-8")
    claims = claims_of(load(path))
    report = verify(model_subject(Signal(statistic), claims, "signal"), claims)
    assert outcomes(report) == [expected]


ONNX = """archspec: 1
name: sums
dims: {batch: [1, 2, 4], length: [2, 6, 16]}
inputs:
  x: float[batch, length, 3]
outputs:
  y: float[batch, length, 3]
  total: float[batch, 3]
rules:
  - equivariant: {output: y, input: x, stride: 1, border: circular}
  - invariant: {output: total, input: x}
"""


def file(path: Path, *, running: bool) -> Path:
    """An ONNX file: twice the input, or its running sum, and the mean over positions."""
    shape = ["batch", "length", 3]
    makes = helper.make_node("CumSum", ["x", "axis"], ["y"]) if running else helper.make_node("Add", ["x", "x"], ["y"])
    total = helper.make_node("ReduceMean", ["y", "axes"], ["total"], keepdims=0)
    graph = helper.make_graph(
        [makes, total],
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(np.array(1), "axis"), numpy_helper.from_array(np.array([1]), "axes")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(("running", "expected"), [(False, "holds"), (True, "violated")])
def test_onnx_files(tmp_path: Path, running: bool, expected: str) -> None:
    claims = read_claims(ONNX)
    report = verify(onnx_subject(file(tmp_path / "sums.onnx", running=running), claims), claims)
    assert outcomes(report) == [expected, expected]
