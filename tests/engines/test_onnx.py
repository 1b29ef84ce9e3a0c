"""The exported network computes what the module computes, at every size and not only the traced one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from archspec.diagnostics import SpecError
from archspec.engines.build import Workshop
from archspec.engines.engine import Target
from archspec.engines.module import load_module, named_outputs
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from archspec.model.runner import Runner
from tests.engines.models import encoder, images, names
from tests.steps import steps_here

NETWORK = Path("artifacts", "onnx", "model.onnx")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program with its network, built in a folder of its own."""

    folder: Path
    program: Program

    def open(self) -> Runner:
        return engine_of(Target(engine="onnx")).open(self.folder / NETWORK, self.program.interface)

    def module(self) -> nn.Module:
        return load_module(self.program.inside(self.folder), "float32")


def build_onnx(folder: Path, make: Callable[[Path], Program]) -> Case:
    program = make(folder)
    workshop = Workshop(folder=folder, program=program, dtype="float32")
    (built,), stages = workshop.build(read_targets(["onnx"], "float32"))
    assert built.folder / built.artifact.files[0] == NETWORK
    assert all(stage.seconds > 0 and stage.peak_bytes > 10_000_000 for stage in stages)
    return Case(folder=folder, program=program)


@pytest.fixture(scope="module")
def built_encoder(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return build_onnx(tmp_path_factory.mktemp("encoder"), encoder)


def inputs(batch: int, tokens: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(batch * 100 + tokens)
    valid = generator.random((batch, tokens)) < 0.7
    valid[0] = False  # a fully masked row: ONNX alone would attend to every key
    return {"ids": generator.integers(0, 50, (batch, tokens)), "valid": valid}


@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (2, 12), (3, 7), (16, 40)])
def test_onnx_runtime_agrees_with_the_module(built_encoder: Case, batch: int, tokens: int) -> None:
    given = inputs(batch, tokens)
    module = built_encoder.module()
    with torch.no_grad():
        expected = module(*(torch.from_numpy(array) for array in given.values()))
    found = built_encoder.open().run(given)
    assert list(found) == ["states", "pooled"]
    for name, tensor in named_outputs(expected, ("states", "pooled")).items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-5, atol=1e-5)
        assert np.abs(found[name]).max() > 0.1 or batch == 1


def test_the_file_speaks_in_the_words_of_the_spec(built_encoder: Case) -> None:
    model = onnx.load(built_encoder.folder / NETWORK)
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
    assert str(built_encoder.folder).encode() not in model.SerializeToString()


@pytest.mark.slow
def test_a_second_build_is_the_same_bytes(built_encoder: Case, tmp_path: Path) -> None:
    second = build_onnx(tmp_path, encoder)
    assert (second.folder / NETWORK).read_bytes() == (built_encoder.folder / NETWORK).read_bytes()


@pytest.mark.slow
def test_sizes_with_a_multiple(tmp_path: Path) -> None:
    with steps_here():
        case = build_onnx(tmp_path, images)
    runner, module = case.open(), case.module()
    for batch, height, width in [(1, 4, 4), (2, 12, 28), (8, 64, 64)]:
        pixels = torch.randn(batch, 3, height, width)
        found = runner.run({"pixels": pixels.numpy()})["patches"]
        assert found.shape == (batch, height // 4 * (width // 4), 8)
        np.testing.assert_allclose(found, module(pixels).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_names_that_the_exporter_uses_too(tmp_path: Path) -> None:
    with steps_here():
        case = build_onnx(tmp_path, names)
    onnx.checker.check_model(onnx.load(tmp_path / NETWORK), full_check=True)
    ids = torch.randint(0, 9, (5, 3))
    found, expected = case.open().run({"linear": ids.numpy()}), case.module()(ids)
    np.testing.assert_allclose(found["embedding"], expected[0].numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["sum_1"], expected[1].numpy(), rtol=1e-5, atol=1e-5)


def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path, built_encoder: Case) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(SpecError) as raised:
        engine_of(Target(engine="onnx")).open(broken, built_encoder.program.interface)
    assert [found.code for found in raised.value.diagnostics] == ["E610"]
