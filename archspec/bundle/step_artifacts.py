"""Choose and open the built step of a bundle's decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.bundle.bundle import Bundle
from archspec.bundle.choice import ArtifactChoice, choose
from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.report import step_of
from archspec.diagnostics import Diagnostic, SpecError, fail
from archspec.engines.registry import target_of
from archspec.engines.steps import BuiltSteps, open_steps
from archspec.lower.step_programs import StepPrograms, step_programs
from archspec.model.checked import Checked
from archspec.model.written import written
from archspec.record import record

_NONE = ("E610", "E710")
"""What says that this host has nothing to run."""


@record(eq=False)
class OpenedSteps:
    """An opened step, and the choice of its target."""

    steps: BuiltSteps
    choice: ArtifactChoice


def opened_steps(bundle: Bundle, checked: Checked, artifact: str | None = None) -> OpenedSteps | Diagnostic:
    """Open the step that is verified furthest of those that this host can open.

    Args:
        bundle: the bundle.
        checked: its spec.
        artifact: the target that must run; the best one if left out.

    Returns:
        the opened step, or why there is none: none was built, another version built it, or no runtime of one is here.

    Raises:
        SpecError: E610 or E710 if the target that was named cannot be opened or is not there. E610 for a chosen
            artifact that its runtime rejects, which is damaged: nothing else runs in its place.
    """
    entries = {program.part: program.artifacts for program in bundle.manifest.programs}
    try:
        programs, choice = _chosen(bundle, checked, entries, artifact)
    except SpecError as error:
        # A target that the user names must run or say why not; otherwise the caller has another way.
        if artifact is not None or error.diagnostics[0].code not in _NONE:
            raise
        return error.diagnostics[0]
    files = {part: bundle.path / _entry(found, choice.target).files[0] for part, found in entries.items()}
    dtype = _entry(entries["step"], choice.target).dtype
    rounded = bundle.rounds(choice.target)
    steps = open_steps(programs, target_of(choice.target), dtype, files, rounded=rounded)
    return OpenedSteps(steps=steps, choice=choice)


def _chosen(
    bundle: Bundle, checked: Checked, entries: Mapping[str, Sequence[ArtifactEntry]], artifact: str | None
) -> tuple[StepPrograms, ArtifactChoice]:
    """The programs and the target that runs. Raises SpecError E610 or E710 where there is none; opens nothing."""
    if "step" not in entries:
        help = "build the bundle again with this version, `--target onnx`"
        fail("E710", "the bundle has no artifact of a cached step", None, help=help)
    programs = step_programs(checked)
    _check_version(bundle, programs)
    assert programs is not None
    wanted = artifact or bundle.artifact
    return programs, choose(entries["step"], bundle.report, wanted, what="artifact of a cached step", named=step_of)


def _check_version(bundle: Bundle, programs: StepPrograms | None) -> None:
    """Check that the programs are those that this version makes of the spec. Raises SpecError E710."""
    made = {} if programs is None else {one.part: written(one.interface) for one in programs.all}
    if made != {program.part: program.interface for program in bundle.manifest.programs}:
        message = "the bundle's cached step was built by another version of archspec"
        fail("E710", message, None, help="build the bundle again")


def _entry(entries: Sequence[ArtifactEntry], target: str) -> ArtifactEntry:
    """The entry of a target. Raises SpecError E710 if there is none: the parts of a step belong together."""
    found = next((entry for entry in entries if entry.target == target), None)
    if found is None:
        fail(
            "E710", f"the bundle has only a part of the cached step of `{target}`", None, help="build the bundle again"
        )
    return found
