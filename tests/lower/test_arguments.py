"""What an emitted `forward` takes: the file's order, names behind the first default, and bool masks alone."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.bundle import build
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec, load

TEXT = """
archspec: 1
name: ordered
dims: {batch: [1, 2, 4], n: [1, 3, 9]}
inputs:
  x: "float[batch, n, 8]"
  valid: {type: "bool[batch, n]", default: true}
  extra: "float[batch, n, 8]"
  seen: "bool[batch, n]"
graph:
  first: {block: linear, input: x, dim: 8}
  y: {block: pool, input: first, kind: mean, valid: valid}
  z: {block: pool, input: extra, kind: mean, valid: seen}
outputs: {y: "float[batch, 8]", z: "float[batch, 8]"}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    path = tmp_path_factory.mktemp("ordered") / "ordered.yaml"
    path.write_text(TEXT)
    return load(path)


@pytest.fixture(scope="module")
def module(spec: Spec) -> torch.nn.Module:
    return archspec.compile(spec).eval()


def inputs() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x, extra = torch.randn(2, 2, 3, 8, generator=generator)
    valid = torch.tensor([[True, False, True], [True, True, False]])
    return {"x": x, "valid": valid, "extra": extra, "seen": ~valid}


def test_the_arguments_stand_in_the_order_of_the_file(module: torch.nn.Module) -> None:
    parameters = inspect.signature(module.forward).parameters
    kinds = [parameter.kind.name for parameter in parameters.values()]
    assert list(parameters) == ["x", "valid", "extra", "seen"]
    assert kinds == ["POSITIONAL_OR_KEYWORD"] * 2 + ["KEYWORD_ONLY"] * 2


def test_an_input_in_the_middle_may_be_left_out(module: torch.nn.Module) -> None:
    given = inputs()
    valid = given.pop("valid")
    every = module(**given, valid=torch.ones_like(valid))
    torch.testing.assert_close(module(**given), every)
    assert not torch.equal(module(given["x"], valid, extra=given["extra"], seen=given["seen"]).y, every.y)


@pytest.mark.parametrize("name", ["valid", "seen"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_a_mask_of_another_dtype_is_refused_by_name(module: torch.nn.Module, name: str, dtype: torch.dtype) -> None:
    given = inputs()
    given[name] = given[name].to(dtype)
    with pytest.raises(TypeError) as error:
        module(**given)
    assert str(error.value) == f"`{name}` must be torch.bool, not {dtype}"


def test_the_refusal_stands_in_the_way_of_no_tracer(module: torch.nn.Module) -> None:
    given = inputs()
    wanted = module(**given)
    exported = torch.export.export(module, (), given).module()
    for made in (torch.compile(module, backend="eager", fullgraph=True), exported):
        torch.testing.assert_close(tuple(made(**given)), tuple(wanted))
    given["seen"] = given["seen"].long()
    with pytest.raises(TypeError, match=r"`seen` must be torch\.bool, not torch\.int64"):
        torch.compile(module, backend="eager")(**given)


def test_artifacts_take_the_inputs_in_the_same_order(spec: Spec, tmp_path: Path) -> None:
    bundle = build(spec, tmp_path / "bundle", targets=("onnx",), cache=False)
    import onnx

    graph = onnx.load(next((tmp_path / "bundle").rglob("*.onnx"))).graph
    assert [value.name for value in graph.input] == ["x", "valid", "extra", "seen"]
    given = {name: tensor.numpy() for name, tensor in inputs().items()}
    from safetensors.numpy import load_file

    weights = load_file(next((tmp_path / "bundle").rglob("*.safetensors")))
    wanted = interpret(spec.graph, given, weights)
    for name, found in bundle.run(given).items():
        torch.testing.assert_close(
            torch.from_numpy(found).double(), torch.from_numpy(wanted[name]), atol=1e-5, rtol=1e-5
        )
