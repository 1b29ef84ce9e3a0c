"""ONNX files and bundles, and the command that verifies them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

import archspec
from archspec.cli import cli
from archspec.contract.fitting import onnx_subject
from archspec.contract.verify import verify
from archspec.diagnostics import SpecError
from archspec.spec.claims import read_claims
from tests.contract.decoders import Decoder
from tests.editing import edited

RULES = """
archspec: 1
name: running-sum
dims: {batch: [1, 2, 4], length: [1, 6, 16]}
inputs:
  x: float[batch, length, 3]
outputs:
  y: float[batch, length, 3]
rules:
  - causal: {output: y, input: x}
  - covers: {output: y, input: x, mask: causal}
"""


def running_sum(path: Path, *, exclusive: bool = False, reverse: bool = False) -> Path:
    """An ONNX file that sums along the positions."""
    shape = ["batch", "length", 3]
    node = helper.make_node("CumSum", ["x", "axis"], ["y"], exclusive=int(exclusive), reverse=int(reverse))
    graph = helper.make_graph(
        [node],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(1), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def test_an_onnx_file_holds(tmp_path: Path) -> None:
    claims = read_claims(RULES)
    report = verify(onnx_subject(running_sum(tmp_path / "sum.onnx"), claims), claims)
    assert [found.status for found in report.findings] == ["holds"] * 6


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"reverse": True}, "y[0, 0] depends on x[0, 1]"),
        ({"exclusive": True}, "y position 0 does not depend on x position 0"),
    ],
)
def test_an_onnx_file_that_does_not_hold(options: dict[str, bool], detail: str, tmp_path: Path) -> None:
    claims = read_claims(RULES)
    report = verify(onnx_subject(running_sum(tmp_path / "sum.onnx", **options), claims), claims)
    assert any(found.detail.startswith(detail) for found in report.violations)


def test_an_onnx_file_with_other_names_is_told(tmp_path: Path) -> None:
    claims = read_claims(edited(RULES, ("  y:", "  z:"), ("output: y", "output: z")))
    with pytest.raises(SpecError, match="no output `z`"):
        onnx_subject(running_sum(tmp_path / "sum.onnx"), claims).runner.run({"x": np.zeros((1, 2, 3), np.float32)})


def test_the_command_on_rules_and_a_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    good, bad = running_sum(tmp_path / "good.onnx"), running_sum(tmp_path / "bad.onnx", reverse=True)
    done = CliRunner().invoke(cli, ["verify", str(rules), "--onnx", str(good), "--json"])
    assert done.exit_code == 0
    (report,) = json.loads(done.output)["reports"]
    assert report["subject"] == "good.onnx"
    assert report["holds"] is True
    done = CliRunner().invoke(cli, ["verify", str(rules), "--onnx", str(bad)])
    assert done.exit_code == 1
    assert "causal(output: y, input: x)                violated" in done.output
    with pytest.raises(SpecError, match="no graph to compile"):
        CliRunner().invoke(cli, ["verify", str(rules)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch.nn", "does not name a factory"),
        ("no_such_package_here:model", "cannot be imported"),
        ("torch.nn:Missing", "does not return a model"),
        ("torch.nn:Linear", "does not return a model"),
        ("builtins:dict", "which cannot be called"),
    ],
)
def test_a_factory_that_is_none_is_told(name: str, message: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        CliRunner().invoke(cli, ["verify", str(rules), "--module", name], catch_exceptions=False)


def test_the_command_on_a_factory(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    text = edited(RULES, ("  - covers: {output: y, input: x, mask: causal}\n", ""))
    rules.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(cli, ["verify", str(rules), "--module", "torch.nn:Identity"])
    assert done.exit_code == 0, done.output


MASKED = """
archspec: 1
name: my-decoder
dims: {batch: [1, 2, 4], length: [2, 6, 16]}
inputs:
  ids: int64[batch, length] < 50
  valid: {type: "bool[batch, length]", default: true}
outputs:
  logits: float[batch, length, 50]
rules:
  - causal: {output: logits, input: ids}
  - ignores: {output: logits, input: ids, where: not valid}
"""


class Foreign(Decoder):
    """A decoder with names of its own, a mask of integers, and an output behind a key."""

    def forward(self, ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """The logits, by another name."""
        assert attention_mask.dtype == torch.int64
        return {"loss": ids.sum(), "scores": super().forward(ids, attention_mask.bool())}


class Zero(Decoder):
    """A decoder that looks ahead, and whose parameters are all zero."""

    def __init__(self) -> None:
        super().__init__("one position ahead")
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


def verified(tmp_path: Path, *options: str) -> Result:
    rules = tmp_path / "rules.yaml"
    rules.write_text(MASKED, encoding="utf-8")
    return CliRunner().invoke(cli, ["verify", str(rules), "--module", f"{__name__}:{options[0]}", *options[1:]])


BOUND = ("--bind", "valid=attention_mask", "--bind", "logits=scores", "--as", "int64")


def test_the_command_binds_as_python_does(tmp_path: Path) -> None:
    done = verified(tmp_path, "Foreign", *BOUND)
    assert done.exit_code == 0, done.output
    done = verified(tmp_path, "Foreign")
    (found,) = done.exception.diagnostics
    assert (found.code, found.message) == ("E734", "the model has no parameter `valid`")
    assert found.notes == ("its parameters: ids, attention_mask",)


@pytest.mark.parametrize("binding", ["=mask", "valid", "vald=mask", "valid=mask"])
def test_a_binding_that_cannot_be_read(binding: str, tmp_path: Path) -> None:
    # The last one is bound before.
    done = verified(tmp_path, "Foreign", "--bind", "valid=attention_mask", "--bind", binding)
    assert [found.code for found in done.exception.diagnostics] == ["E734"]


def test_parameters_are_filled_unless_they_are_to_stay(tmp_path: Path) -> None:
    assert verified(tmp_path, "Zero").exit_code == 1
    assert verified(tmp_path, "Zero", "--no-fill").exit_code == 0


def test_the_command_takes_weights_of_a_module_and_of_a_spec(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({name: tensor.clone() for name, tensor in Zero().state_dict().items()}, file)
    assert verified(tmp_path, "Zero", "--weights", str(file)).exit_code == 0
    save_file({name: tensor.clone() for name, tensor in Decoder().state_dict().items()}, file)
    assert verified(tmp_path, "Zero", "--weights", str(file)).exit_code == 1
    save_file({"table.weight": torch.zeros(50, 16)}, file)
    done = verified(tmp_path, "Zero", "--weights", str(file))
    assert [found.code for found in done.exception.diagnostics] == ["E607"]
    spec = archspec.load("gpt2", reduced=True)
    save_file({name: tensor.clone() for name, tensor in archspec.compile(spec).state_dict().items()}, file)
    done = CliRunner().invoke(cli, ["verify", "gpt2", "--reduced", "--weights", str(file)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("options", [("--bind", "x=y"), ("--as", "int64"), ("--no-fill",)])
def test_options_of_a_module_need_one(options: tuple[str, ...], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    done = CliRunner().invoke(cli, ["verify", str(rules), *options])
    assert done.exit_code == 2
    assert "`--module`" in done.output
    assert "require" in done.output
