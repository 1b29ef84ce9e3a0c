"""The exported network computes what the module computes, at every size and not only the traced one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from archspec.diagnostics import SpecError
from archspec.engines.build import Built, build_targets
from archspec.engines.engine import Runner, Target
from archspec.engines.module import load_module, named_outputs
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from tests.engines.models import encoder, images


def build_onnx(program: Program, folder: Path, dtype: str = "float32") -> Built:
    folder.mkdir()
    (built,), _ = build_targets(program, read_targets(["onnx"], dtype), dtype, folder)
    return built


def opened(program: Program, built: Built) -> Runner:
    return engine_of(built.target).open(built.folder / built.artifact.files[0], program.interface)


@pytest.fixture(scope="module")
def built_encoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Built]:
    folder = tmp_path_factory.mktemp("encoder")
    program = encoder(folder)
    return program, build_onnx(program, folder / "out")


def inputs(batch: int, tokens: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(batch * 100 + tokens)
    valid = generator.random((batch, tokens)) < 0.7
    valid[0] = False  # a fully masked row: ONNX alone would attend to every key
    return {"ids": generator.integers(0, 50, (batch, tokens)), "valid": valid}


@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (2, 12), (3, 7), (16, 40)])
def test_onnx_runtime_agrees_with_the_module(built_encoder: tuple[Program, Built], batch: int, tokens: int) -> None:
    program, built = built_encoder
    given = inputs(batch, tokens)
    module = load_module(program, "float32")
    with torch.no_grad():
        expected = module(*(torch.from_numpy(array) for array in given.values()))
    found = opened(program, built).run(given)
    assert list(found) == ["states", "pooled"]
    for name, tensor in named_outputs(expected, ("states", "pooled")).items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-5, atol=1e-5)
        assert np.abs(found[name]).max() > 0.1 or batch == 1


def test_the_file_speaks_in_the_words_of_the_spec(built_encoder: tuple[Program, Built]) -> None:
    _, built = built_encoder
    model = onnx.load(built.folder / "model.onnx")
    axes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert axes == {
        "ids": ["batch", "tokens"],
        "valid": ["batch", "tokens"],
        "states": ["batch", "tokens", 16],
        "pooled": ["batch", 16],
    }
    assert model.opset_import[0].version == 18
    assert str(built.folder.parent).encode() not in model.SerializeToString()


def test_a_second_build_is_the_same_bytes(built_encoder: tuple[Program, Built], tmp_path: Path) -> None:
    program, first = built_encoder
    second = build_onnx(program, tmp_path / "out")
    assert (second.folder / "model.onnx").read_bytes() == (first.folder / "model.onnx").read_bytes()


def test_sizes_with_a_multiple(tmp_path: Path) -> None:
    program = images(tmp_path)
    runner = opened(program, build_onnx(program, tmp_path / "out"))
    module = load_module(program, "float32")
    for batch, height, width in [(1, 4, 4), (2, 12, 28), (8, 64, 64)]:
        pixels = torch.randn(batch, 3, height, width)
        found = runner.run({"pixels": pixels.numpy()})["patches"]
        assert found.shape == (batch, height // 4 * (width // 4), 8)
        np.testing.assert_allclose(found, module(pixels).numpy(), rtol=1e-5, atol=1e-5)


def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path, built_encoder: tuple[Program, Built]) -> None:
    program, _ = built_encoder
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(SpecError) as raised:
        engine_of(Target(engine="onnx")).open(broken, program.interface)
    assert [found.code for found in raised.value.diagnostics] == ["E610"]
