"""What artifacts lose that round what they multiply with quantised weights: measured on them as they will run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from archspec.bundle.manifest import LossEntry, QuantisedEntry
from archspec.bundle.quantising import Quantising
from archspec.bundle.report import BundleReport, StageEntry, step_of
from archspec.bundle.step_work import BuiltProgram, files_of
from archspec.engines.build import BuiltArtifact
from archspec.engines.engine import Target
from archspec.engines.opening import rounds
from archspec.engines.process import Progress, Stage
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.model.ports import DTypeName
from archspec.record import record


@record(eq=False)
class RoundedLosses:
    """Measures the artifacts of a bundle that is written in `folder`, where `quantising` asks for it.

    Raises SpecError E634 for one that loses too much.
    """

    quantising: Quantising | None
    folder: Path
    program: Program
    dtype: DTypeName
    progress: Progress

    def of_artifacts(
        self, built: Sequence[BuiltArtifact], entry: QuantisedEntry | None
    ) -> tuple[QuantisedEntry | None, tuple[Stage, ...]]:
        """The entry with the loss of each artifact that this host can run, and the measured steps."""
        files = {one.target: {"file": str(one.folder / one.artifact.files[0])} for one in built if _rounds_here(one)}
        return self._with({str(target): self._opened(target, one) for target, one in files.items()}, entry)

    def of_steps(
        self, programs: Sequence[BuiltProgram], entry: QuantisedEntry | None, report: BundleReport
    ) -> tuple[QuantisedEntry | None, BundleReport]:
        """The entry with the loss of each cached step whose whole artifact was measured, and the report with both."""
        known = {} if entry is None else entry.rounding
        steps = {target: {"files": files} for target, files in files_of(programs).items() if str(target) in known}
        opened = {step_of(str(target)): self._opened(target, one) for target, one in steps.items()}
        found, stages = self._with(opened, entry)
        added = [StageEntry(name=one.name, seconds=one.seconds, peak_bytes=one.peak_bytes) for one in stages]
        return found, report.model_copy(update={"stages": [*report.stages, *added]})

    def _with(
        self, opened: Mapping[str, dict[str, object]], entry: QuantisedEntry | None
    ) -> tuple[QuantisedEntry | None, tuple[Stage, ...]]:
        made = dict(self._measured(opened))
        if entry is None or not made:
            return entry, ()
        losses = {**entry.rounding, **{name: loss for name, (loss, _) in made.items()}}
        return entry.model_copy(update={"rounding": losses}), tuple(stage for _, stage in made.values())

    def _measured(self, opened: Mapping[str, dict[str, object]]) -> Iterator[tuple[str, tuple[LossEntry, Stage]]]:
        """Yield the loss of each of these, by name."""
        own = self.quantising
        if own is None or not own.round_inputs or own.data is None:
            return
        for name, artifact in opened.items():
            job = {**own.job(own.data, self.program), "artifact": {**artifact, "called": name}}
            yield name, own.loss(self.folder, job, f"measure the loss of {name}", self.progress)

    def _opened(self, target: Target, files: Mapping[str, object]) -> dict[str, object]:
        return {"target": str(target), "dtype": self.dtype, **files}


def _rounds_here(one: BuiltArtifact) -> bool:
    """Whether this host can run an artifact and its runtime can round."""
    return rounds(one.target) and engine_of(one.target).closed(one.target, one.artifact) is None
