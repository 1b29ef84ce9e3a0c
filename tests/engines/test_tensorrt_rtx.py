"""Engines are built without a GPU; any error that TensorRT logs fails the build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.engines.build import Workshop
from archspec.engines.engine import Artifact
from archspec.engines.profiles import declared, shapes
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from archspec.model.ports import DTypeName
from tests.engines.models import encoder, images
from tests.steps import steps_here

trt = pytest.importorskip("tensorrt_rtx")
from archspec.engines.rtx.building import build_engine  # noqa: E402
from archspec.engines.rtx.log import RecordingLogger  # noqa: E402

THREE = "tensorrt-rtx:sm86,sm89,sm120"


def build(folder: Path, make: Callable[[Path], Program], target: str, dtype: DTypeName = "float32") -> dict[str, bytes]:
    workshop = Workshop(folder=folder, program=make(folder), dtype=dtype)
    built, _ = workshop.build(read_targets([target], dtype))
    assert {path.name for path in (folder / "artifacts").iterdir()} == {one.target.folder for one in built}
    assert all(one.artifact.dtype == dtype and one.artifact.files == ("model.engine",) for one in built)
    return {str(one.target): (folder / one.folder / "model.engine").read_bytes() for one in built}


@pytest.mark.slow
def test_three_gpus_get_an_engine_each_and_the_same_one_again(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "a-folder-with-a-longer-name"))
    for folder in (first, second):
        folder.mkdir()
    engines = build(first, encoder, THREE)
    assert list(engines) == [f"tensorrt-rtx:{gpu}" for gpu in ("sm86", "sm89", "sm120")]
    assert all(len(engine) > 10_000 for engine in engines.values())
    assert len(set(engines.values())) == 3
    assert build(second, encoder, THREE) == engines


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_and_one_engine_for_two_gpus(tmp_path: Path, dtype: DTypeName) -> None:
    with steps_here():
        (engine,) = build(tmp_path, encoder, "tensorrt-rtx:sm89+sm120", dtype).values()
    assert len(engine) > 10_000


@pytest.mark.slow
def test_sizes_with_a_multiple_and_a_typical_size_that_is_the_least(tmp_path: Path) -> None:
    with steps_here():
        (engine,) = build(tmp_path, images, "tensorrt-rtx:sm89").values()
    assert len(engine) > 1_000


def test_the_profile_comes_from_the_dims(tmp_path: Path) -> None:
    interface = images(tmp_path).interface
    found = shapes(interface.input_ports, declared(interface.symbols))
    assert found == {"pixels": ((1, 3, 4, 4), (1, 3, 8, 16), (8, 3, 64, 64))}


def test_a_network_that_is_broken_fails_the_build(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"\x08\x0anot a network")
    with pytest.raises(SpecError) as raised:
        build_engine(broken, [{}], (), ("sm89",))
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E606", "TensorRT-RTX reported an error while reading the network")
    assert "Failed to parse the ONNX model" in found.notes[0]


def test_an_error_that_is_only_logged_fails_the_build() -> None:
    logger = RecordingLogger()
    network = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    q = network.add_input("q", trt.float32, (1, 1, 4, 32))
    mask = network.add_input("mask", trt.bool, (1, 1, 4, 4))
    attention = network.add_attention(q, q, q, trt.AttentionNormalizationOp.SOFTMAX, True)
    attention.mask = mask  # raises nothing, logs, and leaves the mask out
    assert attention.mask is None
    with pytest.raises(SpecError) as raised:
        logger.raise_if_errors("building")
    assert [found.code for found in raised.value.diagnostics] == ["E606"]


def test_an_engine_is_not_run_without_a_gpu(tmp_path: Path) -> None:
    (target,) = read_targets(["tensorrt-rtx:sm89"], "float32")
    artifact = Artifact(target=str(target), dtype="float32", files=(), tool="tensorrt_rtx", version="1.7.1.116")
    assert "sm89" in (engine_of(target).obstacle(target, artifact) or "")
    with pytest.raises(SpecError) as raised:
        engine_of(target).open(tmp_path / "model.engine", encoder(tmp_path).interface)
    assert [found.code for found in raised.value.diagnostics] == ["E610"]
