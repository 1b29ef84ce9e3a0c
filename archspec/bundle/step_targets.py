"""The steps of all targets: where a tool or a runtime refuses one, the others are built and compared all the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from archspec.bundle.inspection import spanned
from archspec.bundle.manifest import RejectedStep
from archspec.bundle.report import BundleReport, StageEntry
from archspec.bundle.step_work import BuiltProgram, StepWork
from archspec.diagnostics import SpecError
from archspec.engines.build import ARTIFACTS, EXPORTED
from archspec.engines.engine import Target
from archspec.engines.registry import engine_of
from archspec.record import record
from archspec.spec import Spec

REFUSALS = frozenset({"E605", "E606", "E608", "E610", "E620"})
"""Codes of what a tool or a runtime does not take. A result that is wrong (E609, E621 to E623) fails the build."""


@record(eq=False)
class TargetSteps:
    """What was built of a decoder's step, the report with its comparisons, and what was refused."""

    programs: tuple[BuiltProgram, ...]
    report: BundleReport
    rejected: tuple[RejectedStep, ...]


def build_steps(work: StepWork, spec: Spec, targets: Sequence[Target], report: BundleReport) -> TargetSteps:
    """Build the step for the engine of each target and compare it with the full forward, one engine after another.

    The targets of one engine share exports and networks, so that they are built, or refused, together. Raises SpecError
    E609 and E621 to E623 for a step that computes something else.
    """
    built, rejected = list[BuiltProgram](), list[RejectedStep]()
    able = [target for target in targets if engine_of(target).steps]
    for word in dict.fromkeys(target.engine for target in able):
        group = [target for target in able if target.engine == word]
        try:
            with spanned(spec):
                programs, stages = work.build(group)
            entries = [StageEntry(name=s.name, seconds=s.seconds, peak_bytes=s.peak_bytes) for s in stages]
            report = work.compared(report.model_copy(update={"stages": [*report.stages, *entries]}), programs)
            built += programs
        except SpecError as error:
            if not REFUSALS.issuperset(one.code for one in error.diagnostics):
                raise
            rejected += _rejected(group, error)
            _clear(work, group)
    if able and not built:
        _clear_sources(work)
    return TargetSteps(programs=_joined(built), report=report, rejected=tuple(rejected))


def _rejected(group: Sequence[Target], error: SpecError) -> list[RejectedStep]:
    """The entries of targets whose step was refused, with the first of the diagnostics."""
    first, *others = error.diagnostics
    notes = [*first.notes, *(f"{one.code}: {one.message}" for one in others)]
    return [RejectedStep(target=str(one), code=first.code, message=first.message, notes=notes) for one in group]


def _clear(work: StepWork, group: Sequence[Target]) -> None:
    """Remove what a refused build has left of some targets."""
    shutil.rmtree(work.folder / EXPORTED, ignore_errors=True)
    for part in (one.part for one in work.programs.all):
        for target in group:
            shutil.rmtree(work.folder / ARTIFACTS / part / target.folder, ignore_errors=True)


def _clear_sources(work: StepWork) -> None:
    """Remove what steps are built from, where no target has one."""
    for part in (one.part for one in work.programs.all):
        (work.folder / f"{part}.py").unlink(missing_ok=True)
        shutil.rmtree(work.folder / ARTIFACTS / part, ignore_errors=True)
    # A repository of Triton has the other artifacts.
    if not any((work.folder / ARTIFACTS).iterdir()):
        (work.folder / ARTIFACTS).rmdir()


def _joined(built: Sequence[BuiltProgram]) -> tuple[BuiltProgram, ...]:
    """The programs, each with the artifacts of all engines."""
    parts = {one.program.part: one for one in built}
    found = {part: [one for one in built if one.program.part == part] for part in parts}
    return tuple(
        replace(
            one,
            built=tuple(chain.from_iterable(other.built for other in found[part])),
            inspections=tuple(chain.from_iterable(other.inspections for other in found[part])),
        )
        for part, one in parts.items()
    )
