"""The encoder written by hand, built once for every engine that runs here, with what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from archspec.engines.build import BuiltArtifact, Workshop
from archspec.engines.module import load_module, named_outputs
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from archspec.model.runner import Runner
from tests.engines.models import encoder
from tests.steps import steps_here

SIZES = ((1, 1), (3, 17), (16, 40))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program and one artifact of it, in a folder of its own."""

    folder: Path
    program: Program
    built: BuiltArtifact

    @property
    def path(self) -> Path:
        return self.folder / self.built.folder / self.built.artifact.files[0]

    def open(self) -> Runner:
        return engine_of(self.built.target).open(self.path, self.program.interface)

    def obstacle(self, **changes: str) -> str | None:
        artifact = type(self.built.artifact)(**{**self.built.artifact.to_json(), **changes})
        return engine_of(self.built.target).obstacle(self.built.target, artifact)


def build_case(folder: Path, *targets: str) -> Case:
    """The case of the last target."""
    program = encoder(folder)
    built, _ = Workshop(folder=folder, program=program, dtype="float32").build(read_targets(targets, "float32"))
    return Case(folder=folder, program=program, built=built[-1])


def held_to_the_module(case: Case) -> None:
    """At the least size, at primes and at the largest; the first row sees no key at all."""
    runner = case.open()
    module = load_module(case.program.inside(case.folder), "float32")
    for batch, tokens in SIZES:
        generator = np.random.default_rng(batch)
        valid = generator.random((batch, tokens)) < 0.7
        valid[0] = False
        arrays = {"ids": generator.integers(0, 50, (batch, tokens)), "valid": valid}
        found = runner.run(arrays)
        with torch.no_grad():
            result = module(torch.from_numpy(arrays["ids"]), torch.from_numpy(valid))
        for name, tensor in named_outputs(result, ["states", "pooled"]).items():
            np.testing.assert_allclose(found[name], tensor.numpy(), atol=2e-5, rtol=2e-5)


@pytest.fixture(scope="session")
def openvino_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    pytest.importorskip("openvino")
    with steps_here():
        return build_case(tmp_path_factory.mktemp("openvino"), "onnx", "openvino")


@pytest.fixture(scope="session")
def inductor_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    # A compiler's command would be cut at a space.
    return build_case(tmp_path_factory.mktemp("inductor") / "my models" / "the encoder", "inductor")
