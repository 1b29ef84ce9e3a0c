"""Build the programs of a decoder's step in addition to the whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from archspec.bundle.inspection import Inspection
from archspec.bundle.integers import refuse
from archspec.bundle.report import BundleReport, ParityTrial, StageEntry, Timing, network_of, step_of
from archspec.bundle.sources import SPEC
from archspec.engines.build import BuiltArtifact, Workshop
from archspec.engines.cache import Recipe
from archspec.engines.engine import Target
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.profiles import Profile, declared
from archspec.engines.program import Program, StateForm
from archspec.engines.registry import engine_of
from archspec.lower.step_programs import StepPart, StepProgram, StepPrograms
from archspec.model.ports import DTypeName
from archspec.record import record

Step = Callable[[str, Mapping[str, object], str], StageOutcome]


@record(eq=False)
class BuiltProgram:
    """A program, its artifacts, one a target, the profiles that they were built for, and what computed networks."""

    program: StepProgram
    source: Path
    built: tuple[BuiltArtifact, ...]
    profiles: tuple[Profile, ...]
    inspections: tuple[Inspection, ...]


@record(eq=False)
class StepWork:
    """Builds the step of a decoder in the folder of a bundle that has the whole model `whole`."""

    folder: Path
    whole: Program
    programs: StepPrograms
    dtype: DTypeName
    recipe: Recipe | None
    progress: Progress

    def build(self, targets: Sequence[Target]) -> tuple[tuple[BuiltProgram, ...], tuple[Stage, ...]]:
        """Write the programs, and build each for the targets whose engines take a step.

        Returns what was built and the measured steps. Raises SpecError E605 to E609.
        """
        able = [target for target in targets if engine_of(target).steps]
        found: list[BuiltProgram] = []
        stages: list[Stage] = []
        made = {one.part: self._program(one) for one in self.programs.all}
        # All modules are written before one is built: the check of the step runs what is made once before it.
        for one in self.programs.all if able else ():
            (self.folder / made[one.part].source).write_text(one.text, encoding="utf-8")
        for one in self.programs.all if able else ():
            program, inspection = made[one.part], self._inspection(one.part, made)
            recipe = None if self.recipe is None else replace(self.recipe, program=program)
            workshop = Workshop(
                folder=self.folder,
                program=program,
                dtype=self.dtype,
                recipe=recipe,
                progress=self.progress,
                part=one.part,
            )
            built, more = workshop.build(able, inspection.inspect)
            inspection.check(built)
            ranges = program.profiles
            found.append(
                BuiltProgram(
                    program=one, source=program.source, built=built, profiles=ranges, inspections=(inspection,)
                )
            )
            stages += more
        check_together([inspection for one in found for inspection in one.inspections])
        return tuple(found), tuple(stages)

    def compared(self, report: BundleReport, programs: Sequence[BuiltProgram]) -> BundleReport:
        """The report with a comparison of every network and every step that this host can run.

        Raises SpecError E609.
        """
        for inspection in (one for program in programs for one in program.inspections):
            report = inspection.added(report)
        trials, skipped, stages = list(report.trials), list(report.skipped), list(report.stages)
        for target, files in files_of(programs).items():
            obstacle = next(filter(None, (self._obstacle(one, target) for one in programs)), None)
            if obstacle is not None:
                skipped.append(f"{step_of(target)}: {obstacle}")
                continue
            job = {
                "engine": target.engine,
                "capabilities": target.capabilities,
                "dtype": self.dtype,
                "files": files,
                "program": self.whole.to_json(),
                "spec": SPEC,
            }
            outcome = self._run("compare_step", job, f"compare the {step_of(target)}")
            trials += [ParityTrial.model_validate(trial) for trial in outcome.result["trials"]]
            skipped += outcome.result["skipped"]
            s = outcome.stage
            stages.append(StageEntry(name=s.name, seconds=s.seconds, peak_bytes=s.peak_bytes))
        return report.model_copy(update={"trials": trials, "skipped": skipped, "stages": stages})

    def timed(
        self, report: BundleReport, programs: Sequence[BuiltProgram], rounding: Sequence[str] = ()
    ) -> BundleReport:
        """The report with the time of every step that this host can run. Raises SpecError E610.

        Those of the targets `rounding` round what they multiply.
        """
        # A time says nothing of a step whose values were not compared.
        ran = {trial.artifact for trial in report.trials}
        files = {str(target): parts for target, parts in files_of(programs).items() if step_of(target) in ran}
        if not files:
            return report
        job = {"files": files, "spec": SPEC, "dtype": self.dtype, "rounding": rounding}
        outcome = self._run("time_steps", job, "time the steps")
        timings = [*report.timings, *map(Timing.model_validate, outcome.result["timings"])]
        s = outcome.stage
        stage = StageEntry(name=s.name, seconds=s.seconds, peak_bytes=s.peak_bytes)
        return report.model_copy(update={"timings": timings, "stages": [*report.stages, stage]})

    def _run(self, task: str, job: Mapping[str, object], stage: str) -> StageOutcome:
        """Run a step of the build in a process of its own."""
        return run_step("archspec.bundle.worker", task, job, folder=self.folder, stage=stage, progress=self.progress)

    def _program(self, one: StepProgram) -> Program:
        """The program with paths relative to the folder; its weights are among those of the whole model."""
        whole, programs = self.whole.profiles or (declared(self.whole.interface.symbols),), self.programs
        state = StateForm(updates=programs.updates, buffers=programs.buffers, causal=programs.causal)
        return Program(
            source=Path(f"{one.part}.py"),
            module=one.module,
            weights=self.whole.weights,
            interface=one.interface,
            profiles=step_profiles(programs, whole) if one.part == "step" else whole,
            partial=True,
            state=state if one.part == "step" else None,
        )

    def _inspection(self, part: StepPart, made: Mapping[StepPart, Program]) -> Inspection:
        """What computes the networks of a program."""
        once = made["once"].to_json() if part == "step" and "once" in made else None
        return Inspection(
            folder=self.folder,
            program=made[part],
            dtype=self.dtype,
            progress=self.progress,
            task="verify_step_network",
            beside={"whole": self.whole.to_json(), "once": once},
            part=part,
        )

    def _obstacle(self, program: BuiltProgram, target: Target) -> str | None:
        artifact = next(one.artifact for one in program.built if one.target == target)
        return engine_of(target).closed(target, artifact)


def step_profiles(programs: StepPrograms, whole: Sequence[Profile]) -> tuple[Profile, ...]:
    """The profiles of a step: for each of the whole model's, one for a single new position and one for prompts.

    Buffers have one capacity in all of them, the most positions of any.
    """
    length, new = programs.found.length.name, programs.found.new.name
    capacity = max(profile[length][2] for profile in whole)
    found: list[Profile] = []
    for profile in whole:
        _, typical, most = profile[length]
        for range_ in ((1, 1, 1), (1, typical, most)):
            made = {**profile, length: (capacity, capacity, capacity), new: range_}
            # Profiles that differ in the length alone share the one for a single position.
            found += [] if made in found else [made]
    return tuple(found)


def check_together(inspections: Sequence[Inspection]) -> None:
    """Raise SpecError E609 for integers and scales of the weights that no part of a step holds."""
    parts = [one.missing() for one in inspections]
    for engine in dict.fromkeys(name for part in parts for name in part):
        lost = set.intersection(*(set(part[engine]) for part in parts))
        refuse(network_of(step_of(engine)), sorted(lost))


def files_of(programs: Sequence[BuiltProgram]) -> dict[Target, dict[str, str]]:
    """The first file of each part, by target."""
    found: dict[Target, dict[str, str]] = {}
    for program in programs:
        for one in program.built:
            file = (one.folder / one.artifact.files[0]).as_posix()
            found.setdefault(one.target, {})[program.program.part] = file
    return found
