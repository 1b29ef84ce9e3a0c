"""Engines are built without a GPU; any error that TensorRT logs fails the build."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.engines.build import Built, build_targets
from archspec.engines.engine import DTypeName
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from archspec.engines.sizes import profile
from tests.engines.models import encoder, images

rtx_build = pytest.importorskip("archspec.engines.rtx_build")

THREE = "tensorrt-rtx:sm86,sm89,sm120"


def build(program: Program, folder: Path, target: str, dtype: DTypeName = "float32") -> tuple[Built, ...]:
    folder.mkdir()
    return build_targets(program, read_targets([target], dtype), dtype, folder)[0]


def digest(built: Built) -> str:
    return hashlib.sha256((built.folder / "model.engine").read_bytes()).hexdigest()


def test_three_gpus_get_an_engine_each_and_the_same_one_again(tmp_path: Path) -> None:
    program = encoder(tmp_path)
    first, second = (build(program, tmp_path / name, THREE) for name in ("first", "second"))
    assert [built.artifact.target for built in first] == [f"tensorrt-rtx:{gpu}" for gpu in ("sm86", "sm89", "sm120")]
    assert all((built.folder / "model.engine").stat().st_size > 10_000 for built in first)
    assert [digest(built) for built in first] == [digest(built) for built in second]
    assert len({digest(built) for built in first}) == 3
    assert {path.name for path in (tmp_path / "first").iterdir()} == {built.target.folder for built in first}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_and_one_engine_for_two_gpus(tmp_path: Path, dtype: DTypeName) -> None:
    (built,) = build(encoder(tmp_path), tmp_path / "out", "tensorrt-rtx:sm89+sm120", dtype)
    assert built.artifact.dtype == dtype
    assert (built.folder / "model.engine").stat().st_size > 10_000


def test_sizes_with_a_multiple_and_a_typical_size_that_is_the_least(tmp_path: Path) -> None:
    (built,) = build(images(tmp_path), tmp_path / "out", "tensorrt-rtx:sm89")
    assert (built.folder / "model.engine").stat().st_size > 1_000


def test_the_profile_comes_from_the_dims(tmp_path: Path) -> None:
    interface = images(tmp_path).interface
    shapes = profile(interface.input_ports, interface.symbols)
    assert shapes == {"pixels": ((1, 3, 4, 4), (1, 3, 8, 16), (8, 3, 64, 64))}


def test_a_network_that_is_broken_fails_the_build(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"\x08\x0anot a network")
    with pytest.raises(SpecError) as raised:
        rtx_build.build_engine(broken, {}, (), ("sm89",))
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E606", "TensorRT-RTX reported an error while reading the network")
    assert "Failed to parse the ONNX model" in found.notes[0]


def test_an_error_that_is_only_logged_fails_the_build() -> None:
    logger = rtx_build.RecordingLogger()
    trt = rtx_build.trt
    network = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    q = network.add_input("q", trt.float32, (1, 1, 4, 32))
    mask = network.add_input("mask", trt.bool, (1, 1, 4, 4))
    attention = network.add_attention(q, q, q, trt.AttentionNormalizationOp.SOFTMAX, True)
    attention.mask = mask  # raises nothing, logs, and leaves the mask out
    assert attention.mask is None
    with pytest.raises(SpecError) as raised:
        logger.raise_if_errors("building")
    assert [found.code for found in raised.value.diagnostics] == ["E606"]


def test_engines_are_not_run_here(tmp_path: Path) -> None:
    (target,) = read_targets(["tensorrt-rtx:sm89"], "float32")
    assert "sm89" in (engine_of(target).obstacle(target) or "")
    with pytest.raises(SpecError) as raised:
        engine_of(target).open(tmp_path / "model.engine", encoder(tmp_path).interface)
    assert [found.code for found in raised.value.diagnostics] == ["E610"]
