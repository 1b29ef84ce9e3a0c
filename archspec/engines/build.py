"""A program to the artifacts of all its targets."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archspec.engines.engine import Artifact, DTypeName, Target
from archspec.engines.process import Progress, Stage, run_step
from archspec.engines.program import Program

WORKER = "archspec.engines.worker"


@dataclass(frozen=True, kw_only=True)
class Built:
    """An artifact, and the folder that holds its files."""

    target: Target
    artifact: Artifact
    folder: Path


def build_targets(
    program: Program, targets: Sequence[Target], dtype: DTypeName, folder: Path, progress: Progress | None = None
) -> tuple[tuple[Built, ...], tuple[Stage, ...]]:
    """Export the program once and build each target in a folder of its own under `folder`.

    Returns the artifacts in the order of the targets, and every step as measured. Raises SpecError E605 to E608.
    """
    stages: list[Stage] = []
    built: list[Built] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as work:
        onnx = Path(work, "model.onnx")
        stages.append(_export(program, dtype, onnx, progress))
        for target in targets:
            place = folder / target.folder
            place.mkdir()
            artifact, stage = _build(program, onnx, target, dtype, place, progress)
            built.append(Built(target=target, artifact=artifact, folder=place))
            stages.append(stage)
    return tuple(built), tuple(stages)


def initialise(source: Path, module: str, seed: int, path: Path, progress: Progress | None = None) -> Stage:
    """Write the state of a fresh module, initialised under a seed, to a safetensors file. Raises SpecError E605."""
    job = {"source": str(source), "module": module, "seed": seed, "path": str(path)}
    return run_step(WORKER, "initialise", job, stage="initialise weights", progress=progress).stage


def _export(program: Program, dtype: DTypeName, onnx: Path, progress: Progress | None) -> Stage:
    job = {"program": program.to_json(), "dtype": dtype, "path": str(onnx)}
    return run_step(WORKER, "export", job, stage="export to ONNX", progress=progress).stage


def _build(
    program: Program, onnx: Path, target: Target, dtype: DTypeName, folder: Path, progress: Progress | None
) -> tuple[Artifact, Stage]:
    job = {
        "program": program.to_json(),
        "onnx": str(onnx),
        "engine": target.engine,
        "capabilities": target.capabilities,
        "dtype": dtype,
        "folder": str(folder),
    }
    outcome = run_step(WORKER, "build", job, stage=f"build {target}", progress=progress)
    return Artifact.from_json(outcome.result), outcome.stage
