"""Build a program into the artifacts of all its targets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.engines.cache import Recipe
from archspec.engines.engine import Artifact, Engine, Form, NetworkEngine, Target
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.engines.registry import compiling, engine_of, engines
from archspec.model.ports import DTypeName
from archspec.record import record

WORKER = "archspec.engines.worker"
ARTIFACTS = "artifacts"
EXPORTED = ".export"
"""The folder of exported files, which are no part of the result."""
_EXPORTS: dict[Form, tuple[str, str]] = {
    "onnx": ("export to ONNX", "model.onnx"),
    "ort": ("export for ONNX Runtime", "ort/model.onnx"),
    "program": ("export the program", "model.pt2"),
}


@record
class BuiltArtifact:
    """An artifact and the folder of its files, relative to the folder of the build."""

    target: Target
    artifact: Artifact
    folder: Path


@record(eq=False)
class Exported:
    """What targets are built from: artifacts from the cache, and by word the file of each engine that is inspected."""

    targets: tuple[Target, ...]
    taken: Mapping[Target, tuple[BuiltArtifact, Stage]]
    inspected: Mapping[str, str]
    stages: tuple[Stage, ...]


@record
class Workshop:
    """A folder in which a program is built; the paths of the program and of the results are relative to it.

    `recipe` is the key to the cache of artifacts, None to do without it. `part` names a program that is not the whole
    model, whose artifacts are in a folder of this name; `exports` is the folder of its exported files.
    """

    folder: Path
    program: Program
    dtype: DTypeName
    recipe: Recipe | None = None
    progress: Progress | None = None
    part: str = ""
    exports: str = EXPORTED

    def build(
        self, targets: Sequence[Target], inspect: Callable[[str, str], Stage] | None = None
    ) -> tuple[tuple[BuiltArtifact, ...], tuple[Stage, ...]]:
        """Export the program once in each form, and build each target in its own folder under `artifacts`.

        With a recipe, artifacts that were built before are taken from the cache, and new ones are stored there.
        `inspect` is called for each engine that compiles networks before it does, with its word and the file that it
        compiles from.
        Returns the artifacts in the order of the targets, and the measured steps. Raises SpecError E605 to E608.
        """
        exported = self.export(targets, inspects=inspect is not None)
        checks = [inspect(*one) for one in exported.inspected.items()] if inspect is not None else []
        built, stages = self.finish(exported)
        return built, (*exported.stages, *checks, *stages)

    def export(self, targets: Sequence[Target], *, inspects: bool) -> Exported:
        """Export the program in each form that is wanted; the files stay until `finish`.

        With `inspects`, engines that compile networks are inspected, even those whose artifacts are in the cache.
        Raises SpecError E605, E607 or E608.
        """
        (self.folder / ARTIFACTS / self.part).mkdir(parents=True, exist_ok=True)
        (self.folder / self.exports).mkdir(parents=True)
        # The cache is asked first: a form is only exported if something is built or computed from it.
        taken = dict(self._taken(targets))
        # The network is computed for every bundle, even if its engines are in the cache.
        inspected = compiling(targets) if inspects else ()
        wanted = [engine_of(target) for target in targets if target not in taken]
        forms = [self._form(engine) for engine in (*wanted, *(engines()[word] for word in inspected))]
        stages = tuple(self._export(form) for form in dict.fromkeys(forms))
        sources = {word: self._source(engines()[word].form) for word in inspected}
        return Exported(targets=tuple(targets), taken=taken, inspected=sources, stages=stages)

    def finish(self, exported: Exported) -> tuple[tuple[BuiltArtifact, ...], tuple[Stage, ...]]:
        """Build what is not from the cache, and remove the exported files. Raises SpecError E605 or E606."""
        made = [exported.taken.get(target) or self._build(target) for target in exported.targets]
        # Exports serve all targets and are no part of a bundle.
        shutil.rmtree(self.folder / self.exports)
        return tuple(artifact for artifact, _ in made), tuple(stage for _, stage in made)

    def _source(self, form: Form) -> str:
        """Return the path of the file of a form."""
        return f"{self.exports}/{_EXPORTS[form][1]}"

    def _export(self, form: Form) -> Stage:
        """Export the program in one form, to a file that all engines of that form share."""
        job = {"dtype": self.dtype, "form": form, "path": self._source(form)}
        return self._run("export", job, named(_EXPORTS[form][0], self.part)).stage

    def _taken(self, targets: Sequence[Target]) -> Iterator[tuple[Target, tuple[BuiltArtifact, Stage]]]:
        """Yield the targets whose artifacts are in the cache; makes the folder of every target."""
        for target in targets:
            place = self._place(target)
            (self.folder / place).mkdir()
            begun = time.monotonic()
            artifact = None if self.recipe is None else self.recipe.take(target, self.folder / place)
            if artifact is not None:
                stage = Stage(
                    name=named(from_cache(target), self.part), seconds=round(time.monotonic() - begun, 3), peak_bytes=0
                )
                self._tell(stage.name)
                yield target, (BuiltArtifact(target=target, artifact=artifact, folder=place), stage)

    def _build(self, target: Target) -> tuple[BuiltArtifact, Stage]:
        """Build one target, and store it in the cache if there is one."""
        place = self._place(target)
        source = self._source(self._form(engine_of(target)))
        wanted = {"engine": target.engine, "capabilities": target.capabilities, "dtype": self.dtype}
        outcome = self._run(
            "build",
            {**wanted, "source": source, "folder": str(place)},
            named(f"build {target}", self.part),
            # Bytes of what TensorRT compiles depend on addresses.
            alone=isinstance(engine_of(target), NetworkEngine),
        )
        artifact = Artifact.from_json(outcome.result)
        obstacle = None if self.recipe is None else self.recipe.keep(target, artifact, self.folder / place)
        # A full or unwritable cache is no reason to fail: the artifact exists.
        if obstacle is not None:
            self._tell(f"{target} is not cached: {obstacle}")
        return BuiltArtifact(target=target, artifact=artifact, folder=place), outcome.stage

    def _form(self, engine: Engine) -> Form:
        """Return what an engine builds this program from."""
        return engine.step_form if self.part == "step" and engine.step_form is not None else engine.form

    def _place(self, target: Target) -> Path:
        """Return the folder of a target's files."""
        return Path(ARTIFACTS, self.part, target.folder)

    def _tell(self, stage: str) -> None:
        """Report a finished step."""
        if self.progress is not None:
            self.progress(stage, 1.0)

    def _run(self, task: str, job: dict[str, Any], stage: str, *, alone: bool = False) -> StageOutcome:
        """Run a step in a separate process."""
        job = {"program": self.program.to_json(), **job}
        return run_step(WORKER, task, job, folder=self.folder, stage=stage, progress=self.progress, alone=alone)


def named(stage: str, part: str) -> str:
    """Return the name of a build step of a part of the model; "" is the whole."""
    return f"{stage} ({part})" if part else stage


def from_cache(target: Target | str) -> str:
    """Return the name of the build step that took an artifact from the cache."""
    return f"take {target} from the cache"


def initialise(folder: Path, program: Program, seed: int, progress: Progress | None = None) -> Stage:
    """Write the program's weights: the state of a fresh module, initialised under `seed`.

    The program's paths are relative to `folder`. Returns the measured step. Raises SpecError E605.
    """
    job = {"program": program.to_json(), "seed": seed}
    return run_step(WORKER, "initialise", job, folder=folder, stage="initialise weights", progress=progress).stage
