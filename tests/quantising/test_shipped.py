"""Artifacts of shipped specs compute with the integers that the interpreter has; an integer that is off is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from archspec.bundle.integers import integers_apart
from archspec.bundle.report import TOLERANCE
from archspec.engines.registry import engines
from archspec.passes.quantise import storable
from tests.mutation.shipped import REPRESENTATIVES, distinct, reduced
from tests.quantising.artifacts import ENGINES, Case, stored

FORMATS = ("int8", "int4:16")
FEW = {
    ("gpt2", "int4:16"),
    ("t5-base", "int8"),
    ("mixtral-8x7b", "int4:16"),
    ("gemma-2-2b", "int4:16"),
    ("coatnet-0", "int8"),
}
"""A tied table, one that encoder and decoder share, experts, layers of two kinds, and convolutions."""

WITHOUT_BLOCKS = {"mobilenet-v2"}
"""All but the last of its weights are kernels, which are `int8`, and its head has no whole blocks at reduced size."""


def cases() -> list[Any]:
    """Every spec that is no other one, in each format; all but some in long runs."""
    long = [pytest.mark.slow, pytest.mark.long]
    return [
        pytest.param(name, format, marks=pytest.mark.slow if (name, format) in FEW else long)
        for name in distinct()
        for format in FORMATS
    ]


@pytest.mark.parametrize(("name", "format"), cases())
def test_engines_compute_with_the_same_integers(name: str, format: str, tmp_path: Path) -> None:
    for package in ("tensorrt_rtx", "openvino"):
        pytest.importorskip(package)
    case = stored(name, [format], tmp_path)
    if format == "int4:16":
        assert ("int4:16" in map(str, case.plan.values())) is (name not in WITHOUT_BLOCKS)
    assert {engine: off for engine in ENGINES if (off := case.off(engine)) >= 1e-5} == {}
    files = (case.onnx, *case.onnx.parent.glob("openvino.*/*.xml"))
    assert [integers_apart([file], case.graph, case.program.weights, "float32") for file in files] == [[], []]


ROUTERS = {"deepseek-v3": {"states.layers.*.feed_forward.router.weight"}}
"""What is no integer although an op takes it for coefficients: a router is held beside the bias of another op."""


@pytest.mark.parametrize("name", sorted(REPRESENTATIVES))
def test_every_map_table_kernel_and_expert_can_be_stored(name: str) -> None:
    graph = reduced(name).graph
    coefficients = {
        node.parameters[local].path
        for node in graph.walk()
        for local, one in node.op.parameters(*(value.type for value in node.inputs)).items()
        if one.channels
    }
    assert coefficients - storable(graph).keys() == ROUTERS.get(name, set())


def integers(path: Path) -> list[str]:
    """The names of the tensors of integers in a file that are multiplied with scales."""
    graph = onnx.load(path).graph
    held = {one.name for one in graph.initializer}
    return sorted({node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"} & held)


def one_off(path: Path, name: str, to: Path, place: int) -> Path:
    """The file with one integer of a tensor one off; `place` counts from its first."""
    model = onnx.load(path)
    tensor = next(one for one in model.graph.initializer if one.name == name)
    array = onnx.numpy_helper.to_array(tensor)
    flat = array.astype(np.int8).reshape(-1)
    flat[place] += 1 if flat[place] <= 0 else -1
    tensor.CopyFrom(onnx.numpy_helper.from_array(flat.reshape(array.shape).astype(array.dtype), name))
    onnx.save(model, to)
    return to


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """With weights of a size that makes scores differ."""
    return stored("gpt2", ["int4:16"], tmp_path_factory.mktemp("decoder"), deviation=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_one_integer_off_in_one_block_is_found_in_every_engine(decoder: Case, engine: str, tmp_path: Path) -> None:
    pytest.importorskip(engines()[engine].runtime)
    assert decoder.off(engine) < 1e-5
    names = integers(decoder.onnx)
    # Two layers of seven maps, and the table that is the head too.
    assert len(names) == 13
    for number, name in enumerate(names):
        mutant = one_off(decoder.onnx, name, tmp_path / f"{number}.onnx", place=5)
        assert decoder.off(engine, mutant) > TOLERANCE["float32"], name
