"""What TensorRT is told, what it says, and where its errors came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import archspec
from archspec.bundle.inspection import Inspection, span_of, spanned
from archspec.diagnostics import SpecError
from archspec.engines.build import BuiltArtifact
from archspec.engines.engine import Artifact, Target
from archspec.engines.scopes import SCOPES, Placed, placed, scopes_of

trt = pytest.importorskip("tensorrt_rtx")
from archspec.engines.rtx import settings  # noqa: E402
from archspec.engines.rtx.building import build_engine  # noqa: E402
from archspec.engines.rtx.log import RecordingLogger  # noqa: E402
from archspec.engines.rtx.monitor import Monitor  # noqa: E402
from archspec.engines.rtx.parsing import parse  # noqa: E402

SHAPES = {"x": ((1, 4), (2, 4), (8, 4))}
ATTENTION = ["", "states", "states.layers.0", "states.layers.0.attention", "scaled_dot_product_attention"]


def network(folder: Path, operator: str = "Relu", scopes: list[str] | None = None) -> Path:
    """A file of two nodes, the second of which came from some scopes."""
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "weight")
    node = helper.make_node(operator, ["h"], ["y"], name="node_y")
    node.metadata_props.add(key=SCOPES, value=repr(scopes or ATTENTION))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["h"], name="node_h"), node],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_an_error_of_tensorrt_has_the_line_of_the_spec(tmp_path: Path) -> None:
    path = network(tmp_path, "Bernoulli")
    spec = archspec.load("transformer-base", reduced=True)
    with pytest.raises(SpecError) as raised, spanned(spec):
        try:
            build_engine(path, [SHAPES], ["y"], ["sm89"])
        except SpecError as error:
            raise placed(error, path) from None
    (found,) = raised.value.diagnostics
    assert isinstance(found, Placed)
    assert found.code == "E606"
    assert found.notes[-1] == "the node `node_y` came from `states.layers.0.attention`"
    assert found.primary is not None
    source = found.primary.span.source.text.splitlines()[found.primary.span.line - 1]
    assert "mask: causal" in source


def test_a_module_without_an_operation_of_its_own_has_the_line_of_its_node() -> None:
    graph = archspec.load("transformer-base", reduced=True).graph
    states = span_of(["", "states", "states.layers.1", "states.layers.1.feed_forward", "gelu"], graph)
    assert states is not None
    assert states.text == "states"
    logits = span_of(["", "logits", "linear_3"], graph)
    assert logits is not None
    assert logits.text == "logits"
    assert span_of(["", "add_3"], graph) is None


def test_a_file_that_is_no_network_has_no_scopes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x0anot a network")
    assert scopes_of(path) == {}
    assert scopes_of(network(tmp_path)) == {"node_y": tuple(ATTENTION)}


@pytest.mark.slow
def test_several_profiles_in_one_engine_for_two_gpus_and_how_far_it_is(tmp_path: Path) -> None:
    path = network(tmp_path)
    told: list[float] = []
    narrow = {"x": ((1, 4), (1, 4), (1, 4))}
    one = build_engine(path, [SHAPES], ["y"], ["sm86", "sm89"])
    two = build_engine(path, [narrow, SHAPES], ["y"], ["sm86", "sm89"], told.append)
    assert one.network == two.network
    assert one.engine != two.engine
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_what_a_layer_does_not_tell_is_no_error(tmp_path: Path) -> None:
    sizes = numpy_helper.from_array(np.array([1, 8], dtype=np.int64), "sizes")
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], name="node_s"),
        helper.make_node("Mul", ["s", "sizes"], ["t"], name="node_t"),
        helper.make_node("Resize", ["x", "", "", "t"], ["y"], name="node_y", mode="linear"),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("x", 4), ("y", 32))
    ]
    graph = helper.make_graph(nodes, "network", values[:1], values[1:], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    parsed = parse(tmp_path / "model.onnx", ["x"], ["y"])
    assert "RESIZE" in {step.kind for step in parsed.plan().steps}
    assert parsed.logger.errors == []


class Deaf:
    """Settings that forget what they are told."""

    num_compute_capabilities = 0
    num_optimization_profiles = 0

    def __init__(self) -> None:
        self.progress_monitor: Any = None

    def __setattr__(self, name: str, value: object) -> None:
        if name != "num_compute_capabilities":
            object.__setattr__(self, name, value)

    def clear_flag(self, flag: object) -> None:
        pass

    def get_flag(self, flag: object) -> bool:
        return False

    def create_builder_config(self) -> Deaf:
        return self


def test_a_setting_that_is_not_kept_fails_the_build() -> None:
    with pytest.raises(SpecError) as raised:
        settings.configure(Deaf(), ["sm89"], [], None)
    (found,) = raised.value.diagnostics
    assert found.code == "E624"
    assert found.message == "TensorRT-RTX did not keep the setting `number of GPUs`"
    assert found.notes == ("it was set to 1 but is 0",)


def test_phases_within_phases_make_one_share() -> None:
    told: list[float] = []
    monitor = Monitor(told.append)
    monitor.phase_start("build", None, 2)
    monitor.phase_start("inner", "build", 4)
    for step in range(4):
        assert monitor.step_complete("inner", step)
    monitor.phase_finish("inner")
    monitor.step_complete("build", 0)
    monitor.step_complete("build", 1)
    monitor.phase_finish("build")
    assert told == [0.125, 0.25, 0.375, 0.5, 1.0, 1.0]


def test_an_engine_of_another_network_is_refused(tmp_path: Path) -> None:
    artifact = Artifact(
        target="tensorrt-rtx:sm89", dtype="float32", files=("model.engine",), tool="t", version="1", network="0" * 64
    )
    built = BuiltArtifact(
        target=Target(engine="tensorrt-rtx", capabilities=("sm89",)), artifact=artifact, folder=tmp_path
    )
    inspection = Inspection(folder=tmp_path, program=None, dtype="float32")  # type: ignore[arg-type]
    with pytest.raises(SpecError) as raised:
        inspection.check([built])
    assert [found.code for found in raised.value.diagnostics] == ["E623"]


def test_a_recorded_error_ends_the_build() -> None:
    logger = RecordingLogger()
    logger.log(trt.ILogger.Severity.WARNING, "slow")
    logger.raise_if_errors("reading")
    logger.log(trt.ILogger.Severity.ERROR, "no\n such   node")
    with pytest.raises(SpecError) as raised:
        logger.raise_if_errors("reading")
    assert raised.value.diagnostics[0].notes == ("no such node",)
