"""Write a bundle in a folder: build, compare and time artifacts, write report and manifest."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archspec.bundle.command import rebuilding
from archspec.bundle.expected import KeptReference
from archspec.bundle.files import entries_under
from archspec.bundle.genai import GenaiWork, genai_entry
from archspec.bundle.inspection import Inspection, spanned
from archspec.bundle.manifest import (
    MANIFEST,
    ArtifactEntry,
    Manifest,
    OriginalEntry,
    ProgramEntry,
    QuantisedEntry,
    RejectedStep,
    TensorEntry,
    VerdictEntry,
    Verified,
    WeightsEntry,
    write_manifest,
)
from archspec.bundle.quantising import FLOATS, Quantising
from archspec.bundle.rank_work import RankWork
from archspec.bundle.report import REPORT, BundleReport, ParityTrial, StageEntry, Timing, step_of
from archspec.bundle.rounded_losses import RoundedLosses
from archspec.bundle.sources import SPEC, whole_program
from archspec.bundle.step_targets import build_steps
from archspec.bundle.step_work import BuiltProgram, StepWork
from archspec.bundle.triton import Layout, arrange, served
from archspec.bundle.triton_step import ServedStep
from archspec.diagnostics import fail
from archspec.engines.build import BuiltArtifact, Workshop
from archspec.engines.cache import Recipe, tool_versions
from archspec.engines.engine import Target
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.profiles import Profile, declared
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, target_of
from archspec.ir.graph import Graph
from archspec.ir.op import Primitive
from archspec.lower.rank_programs import RankPlan
from archspec.lower.step_programs import step_programs
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.model.written import written
from archspec.spec import Spec
from archspec.weights.bundled import PLAN

CARRIED = "files"


@dataclass(frozen=True, kw_only=True)
class Work:
    """A bundle that is being written in `folder`; module and artifacts are held to `reference`, if there is one.

    With `quantising`, weights are integers that it rounds, and `checked` is the spec with these. With `split`, the
    artifacts are those of its tensor ranks, and there are none of the whole model.
    """

    folder: Path
    checked: Checked
    dtype: DTypeName
    profiles: tuple[Profile, ...]
    layout: Layout
    cache: bool
    benchmark: bool
    progress: Progress
    reference: KeptReference | None = None
    split: RankPlan | None = None
    quantising: Quantising | None = None

    @property
    def spec(self) -> Spec:
        """The spec that is built."""
        return self.checked.spec

    @property
    def recipe(self) -> Recipe | None:
        """The part of the cache key that all targets share; None if the cache is not to be used."""
        if not self.cache:
            return None
        name, digest = self.spec.name, self.spec.digest
        return Recipe(name=name, spec_digest=digest, folder=self.folder, program=self.program, dtype=self.dtype)

    @property
    def program(self) -> Program:
        """The emitted module with its weights, interface and profiles; paths are relative to the folder."""
        return whole_program(self.spec, self.profiles)

    def write(self, texts: Mapping[str, str]) -> None:
        """Write text files by name."""
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def _held(self, weights: WeightsEntry) -> tuple[WeightsEntry, tuple[Stage, ...]]:
        """Hold the module to the reference. Returns the entry of its weights; raises SpecError E640 or E641."""
        if self.reference is None:
            return weights, ()
        if self.quantising is not None and not (self.folder / FLOATS).exists():
            message = "weights that are integers already cannot be held to their original"
            fail("E632", message, None, help="give the weights that they were rounded from")
        # What weights are held to is no other before they are rounded: what rounding costs is told apart.
        program = self.program if self.quantising is None else self.quantising.program(self.program)
        job = {"program": program.to_json(), "spec": SPEC, "reference": self._reference}
        outcome = self._step("hold", job, "compare with the original")
        original = OriginalEntry.model_validate(outcome.result["original"])
        return weights.model_copy(update={"original": original}), (outcome.stage,)

    def _quantised(self) -> tuple[QuantisedEntry | None, tuple[Stage, ...]]:
        """What is said of quantised weights, and the measured steps. Raises SpecError E633 or E634."""
        if self.quantising is None:
            return None, ()
        return self.quantising.measure(self.folder, self.program, self.progress)

    @property
    def _reference(self) -> dict[str, str] | None:
        """The reference as plain data, for a job."""
        one = self.reference
        return None if one is None else {"path": str(one.path), "name": one.name, "sha256": one.sha256}

    def finish(
        self, targets: Sequence[Target], carried: Sequence[Path], weights: WeightsEntry, before: tuple[Stage, ...]
    ) -> None:
        """Build the artifacts, compare them, and write the report and the manifest.

        `weights` is the manifest's entry for the weights, `before` the steps that were measured so far.
        """
        workshop = Workshop(
            folder=self.folder, program=self.program, dtype=self.dtype, recipe=self.recipe, progress=self.progress
        )
        inspection = Inspection(folder=self.folder, program=self.program, dtype=self.dtype, progress=self.progress)
        weights, compared = self._held(weights)
        quantised, rounded = self._quantised()
        before = (*before, *compared, *rounded)
        if self.split is not None:
            self._finish_ranks(self._rank_work(self.split), targets, carried, weights, before)
            return
        with spanned(self.spec):
            built, stages = workshop.build(targets, inspection.inspect)
        inspection.check(built)
        # Moved before the comparison, so that what is compared is what Triton serves.
        if self.layout == "triton":
            built = arrange(self.folder, self.spec.name, built, served(self.program), self.dtype)
        losses = RoundedLosses(
            quantising=self.quantising,
            folder=self.folder,
            program=self.program,
            dtype=self.dtype,
            progress=self.progress,
        )
        quantised, more = losses.of_artifacts(built, quantised)
        rounding = () if quantised is None else tuple(quantised.rounding)
        report = inspection.added(self.report(built, (*before, *stages, *more), rounding))
        steps = self.step_work
        programs, rejected = tuple[BuiltProgram, ...](), tuple[RejectedStep, ...]()
        if steps is not None:
            made = build_steps(steps, self.spec, targets, report)
            programs, report, rejected = made.programs, made.report, made.rejected
            if self.layout == "triton":
                programs, reasons = self._served(steps).arranged(self.folder, programs)
                report = report.model_copy(update={"skipped": [*report.skipped, *reasons]})
            quantised, report = losses.of_steps(programs, quantised, report)
            report = steps.timed(report, programs, rounding) if self.benchmark else report
        if self.layout == "genai":
            report = self._with_genai(report, carried)
        shutil.rmtree(self.folder / FLOATS, ignore_errors=True)
        self._write_report(report, carried)
        # The manifest comes last: it holds the hashes of all other files.
        manifest = self.manifest(built, programs, rejected, carried, weights, report, quantised=quantised)
        (self.folder / MANIFEST).write_text(write_manifest(manifest), encoding="utf-8")

    def _finish_ranks(
        self,
        work: RankWork,
        targets: Sequence[Target],
        carried: Sequence[Path],
        weights: WeightsEntry,
        before: tuple[Stage, ...],
    ) -> None:
        """As `finish`, for a model that is split over ranks."""
        with spanned(self.spec):
            built, report = work.build(targets, self.report((), before))
        report = report.model_copy(update={"skipped": [*report.skipped, *work.skipped(targets)]})
        self._write_report(report, carried)
        tensor = work.entry(built, lambda one: self._entry(one, None, self.profiles))
        manifest = self.manifest((), (), (), carried, weights, report, tensor)
        (self.folder / MANIFEST).write_text(write_manifest(manifest), encoding="utf-8")

    def _rank_work(self, split: RankPlan) -> RankWork:
        return RankWork(
            folder=self.folder,
            whole=self.program,
            checked=self.checked,
            split=split,
            dtype=self.dtype,
            recipe=self.recipe,
            progress=self.progress,
        )

    def _write_report(self, report: BundleReport, carried: Sequence[Path]) -> None:
        """Write the report, and copy the files that the bundle carries."""
        (self.folder / REPORT).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for file in carried:
            (self.folder / CARRIED).mkdir(exist_ok=True)
            shutil.copyfile(file, self.folder / CARRIED / file.name)

    @property
    def step_work(self) -> StepWork | None:
        """What builds the cached step; None for a model without one."""
        programs = step_programs(self.checked)
        if programs is None:
            return None
        return StepWork(
            folder=self.folder,
            whole=self.program,
            programs=programs,
            dtype=self.dtype,
            recipe=self.recipe,
            progress=self.progress,
        )

    def _served(self, steps: StepWork) -> ServedStep:
        """What arranges the step for Triton."""
        whole = served(self.program)
        return ServedStep(name=self.spec.name, programs=steps.programs, whole=whole, dtype=self.dtype)

    def report(
        self, built: Sequence[BuiltArtifact], before: Sequence[Stage], rounding: Sequence[str] = ()
    ) -> BundleReport:
        """Compare every artifact that this host can run, and time them if requested. Raises SpecError E609.

        `rounding` are the targets that are timed as they run, rounding what they multiply.
        """
        trials: list[ParityTrial] = []
        skipped: list[str] = []
        stages = list(before)
        opened: list[BuiltArtifact] = []
        for one in built:
            obstacle = engine_of(one.target).closed(one.target, one.artifact)
            if obstacle is not None:
                skipped.append(f"{one.target}: {obstacle}")
                continue
            opened.append(one)
            outcome = self._step("compare", self._comparison(one), f"compare {one.target}")
            trials += [ParityTrial.model_validate(trial) for trial in outcome.result["trials"]]
            skipped += outcome.result["skipped"]
            stages.append(outcome.stage)
        timings: list[Timing] = []
        if self.benchmark and opened:
            job = {**self._timing(opened), "rounding": rounding}
            outcome = self._step("time_all", job, "time the artifacts")
            timings = [Timing.model_validate(timing) for timing in outcome.result["timings"]]
            stages.append(outcome.stage)
        return BundleReport(trials=trials, skipped=skipped, timings=timings, stages=list(map(_stage_entry, stages)))

    def _with_genai(self, report: BundleReport, carried: Sequence[Path]) -> BundleReport:
        """Write the folder for ONNX Runtime GenAI; returns the report with what was measured of it."""
        written = GenaiWork(
            folder=self.folder, checked=self.checked, program=self.program, dtype=self.dtype, progress=self.progress
        ).write(carried)
        changed = {
            "trials": [*report.trials, *written.trials],
            "skipped": [*report.skipped, *written.skipped],
            "stages": [*report.stages, *map(_stage_entry, written.stages)],
        }
        return report.model_copy(update=changed)

    def _step(self, task: str, job: Mapping[str, object], stage: str) -> StageOutcome:
        """Run a step in a separate process: its memory is released, and a crash becomes a diagnostic."""
        worker = "archspec.bundle.worker"
        return run_step(worker, task, job, folder=self.folder, stage=stage, progress=self.progress)

    def _timing(self, built: Sequence[BuiltArtifact]) -> dict[str, object]:
        """Return the job that times artifacts."""
        files = {str(one.target): str(one.folder / one.artifact.files[0]) for one in built}
        return {"files": files, "dtype": self.dtype, "program": self.program.to_json()}

    def _comparison(self, one: BuiltArtifact) -> dict[str, object]:
        """Return the job that compares one artifact."""
        return {
            "engine": one.target.engine,
            "capabilities": one.target.capabilities,
            "dtype": self.dtype,
            "file": str(one.folder / one.artifact.files[0]),
            "program": self.program.to_json(),
            "spec": SPEC,
            # An artifact of rounded weights is held to these.
            "reference": self._reference if self.quantising is None else None,
        }

    def manifest(
        self,
        built: Sequence[BuiltArtifact],
        programs: Sequence[BuiltProgram],
        rejected: Sequence[RejectedStep],
        carried: Sequence[Path],
        weights: WeightsEntry,
        report: BundleReport,
        tensor: TensorEntry | None = None,
        quantised: QuantisedEntry | None = None,
    ) -> Manifest:
        """Return the manifest of everything that is in the folder now."""
        files = [f"{CARRIED}/{file.name}" for file in carried]
        verified: dict[str, Verified] = {trial.artifact: "executed" for trial in report.trials}
        # A time says nothing of an artifact whose values were not compared.
        verified |= {timing.artifact: "benchmarked" for timing in report.timings if timing.artifact in verified}
        made = Manifest(
            name=self.spec.name,
            about=self.spec.about,
            spec_digest=self.spec.digest,
            verdicts=self._verdicts(),
            unproved=list(self.checked.faults),
            module=self.program.module,
            interface=written(self.program.interface),
            weights=weights,
            quantised=quantised,
            artifacts=[self._entry(one, verified.get(str(one.target)), self.profiles) for one in built],
            programs=[self._program(program, verified) for program in programs],
            rejected=list(rejected),
            tensor=tensor,
            genai=self._genai(report) if self.layout == "genai" else None,
            carried=files,
            command="",
            tools={"python": platform.python_version(), **tool_versions()},
            files=entries_under(self.folder),
        )
        reference = None if made.carried_reference is None else Path(made.carried_reference)
        targets, paths = [one.target for one in built], [Path(name) for name in files]
        if tensor is not None:
            targets = [target_of(one.target) for one in tensor.programs[0].artifacts]
        ranks = None if tensor is None else tensor.ranks
        plan = None if quantised is None else PLAN
        command = rebuilding(targets, self.dtype, self.profiles, self.layout, paths, reference, ranks, plan)
        return made.model_copy(update={"command": command})

    def _genai(self, report: BundleReport) -> ArtifactEntry:
        return genai_entry(self.folder, self.dtype, report.trials, exported_notes(self.spec.graph))

    def _verdicts(self) -> list[VerdictEntry]:
        return [
            VerdictEntry(rule=str(one.rule), status=one.status, explanation=one.explanation)
            for one in self.checked.verdicts
        ]

    def _entry(self, one: BuiltArtifact, ran: Verified | None, profiles: Sequence[Profile]) -> ArtifactEntry:
        """Return the manifest's entry of an artifact; `ran` says how far running it verified it."""
        artifact = one.artifact
        return ArtifactEntry(
            target=artifact.target,
            dtype=artifact.dtype,
            files=[(one.folder / name).as_posix() for name in artifact.files],
            verified=ran or ("network-verified-cpu" if artifact.network else "built"),
            tool=artifact.tool,
            version=artifact.version,
            profiles=[{name: list(sizes) for name, sizes in each.items()} for each in self._ranges(one, profiles)],
            host=artifact.host,
            network=artifact.network,
            notes=[*artifact.notes, *exported_notes(self.spec.graph)],
            warnings=list(artifact.warnings),
        )

    def _program(self, one: BuiltProgram, verified: Mapping[str, Verified]) -> ProgramEntry:
        """Return the manifest's entry of a program; its artifacts are verified as the step of their target is."""
        return ProgramEntry(
            part=one.program.part,
            source=one.source.as_posix(),
            module=one.program.module,
            interface=written(one.program.interface),
            artifacts=[
                self._entry(artifact, verified.get(step_of(artifact.target)), one.profiles) for artifact in one.built
            ],
        )

    def _ranges(self, one: BuiltArtifact, profiles: Sequence[Profile]) -> Sequence[Profile]:
        # Only TensorRT engines are bound to profiles; the others run at any size the spec admits.
        bound = engine_of(one.target).profiled
        return profiles if bound else (declared(self.spec.dims.values()),)


def _stage_entry(stage: Stage) -> StageEntry:
    return StageEntry(name=stage.name, seconds=stage.seconds, peak_bytes=stage.peak_bytes)


def exported_notes(graph: Graph) -> list[str]:
    """Return what exported programs of a graph compute that the emitted module does not, each once."""
    notes = (
        node.op.exported([value.type for value in node.inputs])
        for node in graph.walk()
        if isinstance(node.op, Primitive)
    )
    return sorted({note for note in notes if note})
