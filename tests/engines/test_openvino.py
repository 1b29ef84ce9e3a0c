"""OpenVINO computes what the module computes, in float32 whatever the processor would rather have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archspec.diagnostics import SpecError
from archspec.engines.build import WORKER
from archspec.engines.engine import OPSET_REASON
from archspec.engines.process import run_step
from archspec.engines.registry import read_targets
from archspec.engines.targets import openvino as module
from archspec.engines.targets.openvino import OpenVINO
from tests.engines.conftest import Case, held_to_the_module

WEIGHT = np.arange(16, dtype=np.float32).reshape(4, 4)


def test_it_computes_what_the_module_computes(openvino_case: Case) -> None:
    held_to_the_module(openvino_case)


def test_products_are_float32(openvino_case: Case) -> None:
    compiled = openvino_case.open()._model  # type: ignore[attr-defined]
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_sizes_stay_open(openvino_case: Case) -> None:
    compiled = openvino_case.open()._model  # type: ignore[attr-defined]
    assert {port.get_any_name(): str(port.partial_shape) for port in compiled.inputs} == {
        "ids": "[?,?]",
        "valid": "[?,?]",
    }


def test_what_is_told_of_it(openvino_case: Case) -> None:
    artifact = openvino_case.built.artifact
    assert (artifact.tool, artifact.files, artifact.host) == ("openvino", ("model.xml", "model.bin"), None)
    assert OPSET_REASON in artifact.notes
    assert openvino_case.obstacle() is None
    assert "this host has the older" in (openvino_case.obstacle(version="9999.1.0-1-x") or "")
    assert openvino_case.obstacle(version="2024.0.0") is None


def test_a_build_of_the_same_network_gives_the_same_bytes(openvino_case: Case) -> None:
    case = openvino_case
    job = {"program": case.program.to_json(), "engine": "openvino", "capabilities": [], "dtype": "float32"}
    # OpenVINO numbers its layers through a whole process: each build has one of its own.
    for folder in ("first", "second"):
        (case.folder / folder).mkdir()
        job |= {"source": "artifacts/onnx/model.onnx", "folder": folder}
        run_step(WORKER, "build", job, folder=case.folder, stage="build openvino", progress=None)
    for name in case.built.artifact.files:
        assert (case.folder / "first" / name).read_bytes() == (case.folder / "second" / name).read_bytes()


def test_an_output_that_adds_zeros_keeps_its_name(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    floats = (TensorProto.FLOAT, ["rows", 4])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["inner"]), helper.make_node("Add", ["inner", "bias"], ["sum"])],
        "network",
        [helper.make_tensor_value_info("x", *floats)],
        [helper.make_tensor_value_info("sum", *floats)],
        [numpy_helper.from_array(array, name) for name, array in (("weight", WEIGHT), ("bias", np.zeros(4, "f")))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    interface = SimpleNamespace(outputs={"sum": None})
    found = OpenVINO().open(tmp_path / "model.onnx", interface).run({"x": WEIGHT[:2]})  # type: ignore[arg-type]
    assert found.keys() == {"sum"}
    np.testing.assert_allclose(found["sum"], WEIGHT[:2] @ WEIGHT, rtol=1e-6)


def refusal(texts: list[str], dtype: str = "float32") -> list[str]:
    with pytest.raises(SpecError) as raised:
        read_targets(texts, dtype)
    return [found.code for found in raised.value.diagnostics]


def test_what_is_refused_before_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(["openvino:gpu"]) == ["E601"]
    assert refusal(["openvino"], "bfloat16") == ["E603"]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert refusal(["openvino"]) == ["E604"]


def test_without_the_package_it_says_how_to_have_it(openvino_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "pip install 'archspec-compiler[openvino]'" in (openvino_case.obstacle() or "")


def test_a_file_that_is_none_is_refused(openvino_case: Case, tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("<net/>")
    with pytest.raises(SpecError) as raised:
        OpenVINO().open(tmp_path / "model.xml", openvino_case.program.interface)
    assert raised.value.diagnostics[0].code == "E610"


def test_what_it_says_of_an_operator_that_it_does_not_have(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    floats = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])
    made = helper.make_tensor_value_info("around", TensorProto.FLOAT, None)
    pads = numpy_helper.from_array(np.array([0, 1, 0, 1]), "pads")
    graph = helper.make_graph(
        [helper.make_node("Pad", ["x", "pads"], ["around"], mode="wrap")], "network", [floats], [made], [pads]
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    with pytest.raises(SpecError) as raised:
        OpenVINO().build(None, path, None, "float32", tmp_path)  # type: ignore[arg-type]
    (found,) = raised.value.diagnostics
    assert found.code == "E606"
    assert "Node(Pad): around" in found.notes[1]
    assert found.notes[2] == "Unsupported padding mode: [wrap]"
