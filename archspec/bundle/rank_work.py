"""Build an engine for each tensor rank, from a program of its own, after the networks of all ranks were computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from archspec.analyses.sharding.collectives import of_conversion
from archspec.bundle.manifest import ArtifactEntry, ExchangeEntry, RankEntry, TensorEntry, WholeEntry
from archspec.bundle.rank_weights import write_part
from archspec.bundle.report import BundleReport, NetworkEntry, ParityTrial, StageEntry, ranks_of
from archspec.bundle.sources import SPEC
from archspec.diagnostics import Collector, Span, fail
from archspec.engines.build import EXPORTED, BuiltArtifact, Workshop, named
from archspec.engines.cache import Recipe
from archspec.engines.engine import Target
from archspec.engines.process import Progress, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.ir.placement import Partial, Placement, Shard
from archspec.lower.rank_programs import RankPlan
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.record import record

FOLDER = "ranks"
_RUNNING = (
    "the engines run at once, each on a GPU of its own: give every execution context an NCCL communicator of all ranks "
    "(`IExecutionContext.set_communicator`)"
)
_STEPS = "the engines compute the full forward; the cached step of decoding is not split over ranks"


def check_split(targets: Sequence[Target], layout: str, *, benchmark: bool) -> None:
    """Raise SpecError with an E628 for each target and option that does not go with ranks."""
    found = Collector()
    for target in targets:
        if not engine_of(target).ranks:
            help = "leave it out, or build it in a bundle of its own without `--tensor`"
            found.error("E628", f"`{target}` has no artifacts for one of several ranks", None, help=help)
    if layout != "bundle":
        found.error(
            "E628",
            f"the layout `{layout}` has no place for engines of ranks",
            None,
            help="leave out `--layout` or `--tensor`",
        )
    if benchmark:
        help = "leave `--benchmark` out"
        found.error(
            "E628", "engines of ranks are not timed: each needs the others, on GPUs of their own", None, help=help
        )
    found.raise_if_errors()


@record(eq=False)
class BuiltRank:
    """The program of a rank and its artifacts, one a target."""

    program: Program
    built: tuple[BuiltArtifact, ...]


@record(eq=False)
class RankWork:
    """Builds the ranks of a model in the folder of a bundle that has the whole model `whole`."""

    folder: Path
    whole: Program
    checked: Checked
    split: RankPlan
    dtype: DTypeName
    recipe: Recipe | None
    progress: Progress

    @property
    def ranks(self) -> int:
        """The number of ranks."""
        return self.split.plan.ranks

    def build(self, targets: Sequence[Target], report: BundleReport) -> tuple[tuple[BuiltRank, ...], BundleReport]:
        """Write the programs, compute their networks together, and build each for every target.

        Returns what was built, and the report with the networks, trials and steps. Raises SpecError E605 to E609 and
        E620 to E623.
        """
        programs = [self._program(rank, text) for rank, text in enumerate(self.split.texts(self.checked))]
        shops = [self._workshop(rank, program) for rank, program in enumerate(programs)]
        exported = [shop.export(targets, inspects=True) for shop in shops]
        stages = [stage for one in exported for stage in one.stages]
        outcomes = [
            self._verify(word, programs, [one.inspected[word] for one in exported]) for word in exported[0].inspected
        ]
        stages += [outcome.stage for outcome in outcomes]
        found = list[BuiltRank]()
        for rank, (program, shop, one) in enumerate(zip(programs, shops, exported, strict=True)):
            built, more = shop.finish(one)
            self._check(rank, built, outcomes)
            found.append(BuiltRank(program=program, built=built))
            stages += more
        shutil.rmtree(self.folder / EXPORTED)
        entries = [StageEntry(name=s.name, seconds=s.seconds, peak_bytes=s.peak_bytes) for s in stages]
        report = report.model_copy(update={"stages": [*report.stages, *entries]})
        for outcome in outcomes:
            report = self._added(report, outcome)
        return tuple(found), report

    def _program(self, rank: int, text: str) -> Program:
        """Write the module and the weights of a rank; returns its program with paths relative to the folder."""
        (self.folder / FOLDER).mkdir(exist_ok=True)
        source, weights = Path(FOLDER, f"rank_{rank}.py"), Path(FOLDER, f"rank_{rank}.safetensors")
        (self.folder / source).write_text(text, encoding="utf-8")
        whole, placements = self.folder / self.whole.weights, self.split.placements
        write_part(whole, placements, rank, self.ranks, self.folder / weights)
        return replace(self.whole, source=source, module=self.split.module, weights=weights, ranks=self.ranks)

    def _workshop(self, rank: int, program: Program) -> Workshop:
        recipe, part = None if self.recipe is None else replace(self.recipe, program=program), f"rank_{rank}"
        return Workshop(
            folder=self.folder,
            program=program,
            dtype=self.dtype,
            recipe=recipe,
            progress=self.progress,
            part=part,
            exports=f"{EXPORTED}/{part}",
        )

    def _verify(self, engine: str, programs: Sequence[Program], sources: Sequence[str]) -> StageOutcome:
        """Compute the networks of all ranks in a process of its own."""
        job = {
            "programs": [program.to_json() for program in programs],
            "whole": self.whole.to_json(),
            "sources": list(sources),
            "dtype": self.dtype,
            "engine": engine,
            "spec": SPEC,
        }
        stage = named(f"verify the networks of {engine}", f"{self.ranks} ranks")
        worker, progress = "archspec.bundle.worker", self.progress
        return run_step(worker, "verify_rank_networks", job, folder=self.folder, stage=stage, progress=progress)

    def _check(self, rank: int, built: Sequence[BuiltArtifact], outcomes: Sequence[StageOutcome]) -> None:
        """Raise SpecError E623 for an engine of a rank that was compiled from another network than was computed."""
        verified = {outcome.result["networks"][rank]["digest"] for outcome in outcomes}
        for one in built:
            if one.artifact.network not in verified:
                message = f"rank {rank} of {one.target} was compiled from a network other than the verified one"
                fail("E623", message, None)

    def _added(self, report: BundleReport, outcome: StageOutcome) -> BundleReport:
        """The report with what was found about the networks."""
        networks = [NetworkEntry.model_validate(one) for one in outcome.result["networks"]]
        trials = [ParityTrial.model_validate(one) for one in outcome.result["trials"]]
        changed = {
            "networks": [*report.networks, *networks],
            "trials": [*report.trials, *trials],
            "skipped": [*report.skipped, *outcome.result["skipped"]],
        }
        return report.model_copy(update=changed)

    def entry(self, built: Sequence[BuiltRank], artifact: Callable[[BuiltArtifact], ArtifactEntry]) -> TensorEntry:
        """The manifest's entry; `artifact` makes that of one artifact."""
        return TensorEntry(
            ranks=self.ranks,
            module=self.split.module,
            exchanges=list(_exchanges(self.split)),
            parts=_parts(self.split),
            whole=[
                WholeEntry(path=one.path, elements=one.elements, reason=one.reason, help=one.help, line=_line(one.span))
                for one in self.split.plan.unsplit
            ],
            notes=[_RUNNING, *([_STEPS] if self.checked.spec.decode is not None else [])],
            programs=[
                RankEntry(
                    rank=rank,
                    source=one.program.source.as_posix(),
                    weights=one.program.weights.as_posix(),
                    artifacts=[artifact(each) for each in one.built],
                )
                for rank, one in enumerate(built)
            ],
        )

    def skipped(self, targets: Sequence[Target]) -> list[str]:
        """What is not compared on GPUs, for the report."""
        return [f"{ranks_of(target, self.ranks)}: {_RUNNING}" for target in targets]


def _exchanges(split: RankPlan) -> Iterator[ExchangeEntry]:
    """The exchanges of a forward pass."""
    for hook in split.plan.conversions:
        for one in of_conversion(hook, split.plan.ranks):
            if one.phase == "forward" and one.kind != "reduce-scatter":
                yield ExchangeEntry(
                    kind=one.kind,
                    where=one.where or split.spec.name,
                    times=one.times,
                    elements=str(one.elements),
                    dtype=str(one.dtype),
                    line=_line(hook.span),
                )


def _parts(split: RankPlan) -> dict[str, str]:
    """What a rank stores of each parameter that is not whole."""
    said = ((one.parameter.path, _said(one.placement, split.plan.ranks)) for one in split.plan.parameters)
    return {path: words for path, words in said if words}


def _said(placement: Placement, ranks: int) -> str:
    """What a rank stores, in words; empty for all of it."""
    if isinstance(placement, Partial):
        return "all of it on rank 0, zeros on the others"
    if not isinstance(placement, Shard):
        return ""
    shared = f", each on {placement.copies} ranks" if placement.copies > 1 else ""
    return f"axis {placement.axis} in {ranks // placement.copies} parts{shared}"


def _line(span: Span | None) -> int | None:
    return None if span is None else span.line
