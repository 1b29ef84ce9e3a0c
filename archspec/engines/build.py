"""A program to the artifacts of all its targets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from archspec.engines.cache import Recipe
from archspec.engines.engine import Artifact, Form, Target
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.engines.registry import compiling, engine_of, engines
from archspec.model.ports import DTypeName
from archspec.record import record

WORKER = "archspec.engines.worker"
ARTIFACTS = "artifacts"
_WORK = ".export"
_EXPORTS: dict[Form, tuple[str, str]] = {
    "onnx": ("export to ONNX", f"{_WORK}/model.onnx"),
    "program": ("export the program", f"{_WORK}/model.pt2"),
}


@record
class BuiltArtifact:
    """An artifact, and the folder that holds its files, relative to that of the build."""

    target: Target
    artifact: Artifact
    folder: Path


@record
class Workshop:
    """A folder in which a program is built: the program's paths are relative to it, and so are all that come out."""

    folder: Path
    program: Program
    dtype: DTypeName
    recipe: Recipe | None = None
    progress: Progress | None = None

    def build(
        self, targets: Sequence[Target], inspect: Callable[[str, str], Stage] | None = None
    ) -> tuple[tuple[BuiltArtifact, ...], tuple[Stage, ...]]:
        """Export the program once in each form, and build each target in a folder of its own under `artifacts`.

        With a recipe, what was built before is taken from the cache, and what is built is kept there.
        `inspect` is given the word of each engine that compiles networks, and the file from which it will compile one,
        before it does.
        Returns the artifacts in the order of the targets, and every step as measured. Raises SpecError E605 to E608.
        """
        stages: list[Stage] = []
        built: list[BuiltArtifact] = []
        (self.folder / ARTIFACTS).mkdir()
        (self.folder / _WORK).mkdir()
        taken = dict(self._taken(targets))
        # A network is computed for every bundle, whether or not its engines are there already.
        inspected = compiling(targets) if inspect is not None else ()
        wanted = [engine_of(target) for target in targets if target not in taken]
        forms = [engine.form for engine in (*wanted, *(engines()[word] for word in inspected))]
        stages += [self._export(form) for form in dict.fromkeys(forms)]
        if inspect is not None:
            stages += [inspect(word, _EXPORTS[engines()[word].form][1]) for word in inspected]
        for target in targets:
            artifact, stage = taken.get(target) or self._build(target)
            built.append(artifact)
            stages.append(stage)
        shutil.rmtree(self.folder / _WORK)
        return tuple(built), tuple(stages)

    def _export(self, form: Form) -> Stage:
        stage, path = _EXPORTS[form]
        return self._run("export", {"dtype": self.dtype, "form": form, "path": path}, stage).stage

    def _taken(self, targets: Sequence[Target]) -> Iterator[tuple[Target, tuple[BuiltArtifact, Stage]]]:
        for target in targets:
            place = Path(ARTIFACTS, target.folder)
            (self.folder / place).mkdir()
            begun = time.monotonic()
            artifact = None if self.recipe is None else self.recipe.take(target, self.folder / place)
            if artifact is not None:
                stage = Stage(name=from_cache(target), seconds=round(time.monotonic() - begun, 3), peak_bytes=0)
                self._tell(stage.name)
                yield target, (BuiltArtifact(target=target, artifact=artifact, folder=place), stage)

    def _build(self, target: Target) -> tuple[BuiltArtifact, Stage]:
        place = Path(ARTIFACTS, target.folder)
        _, source = _EXPORTS[engine_of(target).form]
        wanted = {"engine": target.engine, "capabilities": target.capabilities, "dtype": self.dtype}
        outcome = self._run("build", {**wanted, "source": source, "folder": str(place)}, f"build {target}")
        artifact = Artifact.from_json(outcome.result)
        obstacle = None if self.recipe is None else self.recipe.keep(target, artifact, self.folder / place)
        if obstacle is not None:
            self._tell(f"{target} is not cached: {obstacle}")
        return BuiltArtifact(target=target, artifact=artifact, folder=place), outcome.stage

    def _tell(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(stage, 1.0)

    def _run(self, task: str, job: dict[str, Any], stage: str) -> StageOutcome:
        job = {"program": self.program.to_json(), **job}
        return run_step(WORKER, task, job, folder=self.folder, stage=stage, progress=self.progress)


def from_cache(target: Target | str) -> str:
    """The stage of a build that took an artifact as it was built before."""
    return f"take {target} from the cache"


def initialise(folder: Path, program: Program, seed: int, progress: Progress | None = None) -> Stage:
    """Write the program's weights: the state of a fresh module, initialised under a seed. Raises SpecError E605."""
    job = {"program": program.to_json(), "seed": seed}
    return run_step(WORKER, "initialise", job, folder=folder, stage="initialise weights", progress=progress).stage
