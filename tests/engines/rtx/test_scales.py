"""Scales that are not above zero, as blocks of GGUF have them, in networks of TensorRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("tensorrt_rtx")

from archspec.contract.lowered import NetworkRunner
from archspec.diagnostics import SpecError
from archspec.engines.network.digest import digest
from archspec.engines.rtx.building import build_engine
from archspec.engines.rtx.parsing import parse
from archspec.engines.rtx.scales import with_positive_scales

SHAPE, BLOCK = (64, 6), 32
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 64)).astype(np.float32)


def file(path: Path, integers: np.ndarray, scales: np.ndarray, *, four: bool) -> Path:
    """A file that multiplies with the values of integers, [in, out], with a scale for each 32 inputs of an output."""
    kind = TensorProto.INT4 if four else TensorProto.INT8
    nodes = [
        helper.make_node("DequantizeLinear", ["integers", "scales"], ["values"], axis=0, block_size=BLOCK),
        helper.make_node("MatMul", ["x", "values"], ["y"]),
    ]
    held = helper.make_tensor("integers", kind, integers.shape, integers.reshape(-1).tolist())
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 6])],
        [held, numpy_helper.from_array(scales, "scales")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def drawn(least: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers of which every block has both ends, and scales of which one is zero and about half are below zero."""
    integers = RNG.integers(least, most + 1, size=SHAPE).astype(np.int8)
    integers[::BLOCK], integers[1::BLOCK] = least, most
    scales = RNG.normal(size=(SHAPE[0] // BLOCK, SHAPE[1])).astype(np.float32)
    scales[1, 2] = 0.0
    return integers, scales


@pytest.mark.parametrize(
    ("four", "least", "most"), [(True, -8, 7), (False, -127, 127)], ids=["four bits", "eight bits"]
)
def test_a_file_with_scales_below_zero_is_computed_and_built(tmp_path: Path, four: bool, least: int, most: int) -> None:
    integers, scales = drawn(least, most)
    path = file(tmp_path / "m.onnx", integers, scales, four=four)
    before = path.read_bytes()
    plan = parse(path, ["x"], ["y"]).plan()
    found = NetworkRunner(plan, "exact").run({"x": X})["y"]
    np.testing.assert_allclose(found, X @ (integers * np.repeat(scales, BLOCK, axis=0).astype(np.float64)), rtol=1e-12)
    built = build_engine(path, [{"x": ((1, 64), (2, 64), (4, 64))}], ["y"], ["sm86"])
    assert built.network == digest(plan)
    # Other engines read the file as it is.
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]


def test_a_file_with_scales_above_zero_is_read_itself(tmp_path: Path) -> None:
    integers, scales = drawn(-128, 127)
    path = file(tmp_path / "m.onnx", integers, np.abs(scales) + np.float32(0.1), four=False)
    assert with_positive_scales(path, tmp_path) == path


def test_an_integer_without_an_opposite_is_refused(tmp_path: Path) -> None:
    integers, scales = drawn(-128, 127)
    with pytest.raises(SpecError, match="-128") as raised:
        parse(file(tmp_path / "m.onnx", integers, scales, four=False), ["x"], ["y"])
    assert [one.code for one in raised.value.diagnostics] == ["E606"]
