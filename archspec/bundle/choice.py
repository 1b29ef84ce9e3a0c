"""Choose which of a bundle's artifacts runs on this host.

Among those that it can open, the furthest verified come first, and among these the fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from archspec.bundle.manifest import ArtifactEntry, Verified
from archspec.bundle.report import BundleReport
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.registry import engine_of, engines, target_of
from archspec.record import record

Times = Mapping[str, float | None]
"""Milliseconds by target; None where none were measured."""
RANKS: tuple[Verified, ...] = get_args(Verified)
_WITH_ONNX = "build the bundle with `--target onnx` too: it runs on any host"


@record
class ArtifactChoice:
    """The artifact that runs, the reason for it, and for each other artifact why it was rejected."""

    target: str
    reason: str
    rejected: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{self.target}: {self.reason}", *(f"  not {name}: {why}" for name, why in self.rejected.items())]
        return "\n".join(lines)


def choose(
    artifacts: Sequence[ArtifactEntry],
    report: BundleReport,
    wanted: str | None = None,
    *,
    what: str = "artifact",
    named: Callable[[str], str] = str,
) -> ArtifactChoice:
    """Return the artifact that is requested, or else the best that this host can open.

    `what` names its kind, and `named` gives the name in the report of the artifact of a target.

    Artifacts verified further come first: benchmarked, executed, network-verified-cpu, built. Among equally verified
    ones those that were timed come before the others, and the faster is chosen: by its time, or where none was timed by
    the speed class of its engine.
    Raises SpecError E610 if the requested artifact cannot be opened here, E710 if there is none.
    """
    entries = {entry.target: entry for entry in artifacts}
    obstacles = {name: obstacle(entry) for name, entry in entries.items()}
    if wanted is not None:
        return _requested(wanted, entries, obstacles, what)
    able = [entry for name, entry in entries.items() if obstacles[name] is None]
    if not able:
        notes = [f"{name}: {why}" for name, why in obstacles.items()]
        fail("E710", f"the bundle has no {what} that this host can run", None, notes=notes, help=_WITH_ONNX)
    measured = {name: report.milliseconds(named(name)) for name in entries}
    best = max(able, key=lambda entry: _merit(entry, measured))
    rejected = {name: why or _beaten(entries[name], best, measured) for name, why in obstacles.items()}
    del rejected[best.target]
    return ArtifactChoice(target=best.target, reason=_reason(best, able, measured), rejected=rejected)


def obstacle(entry: ArtifactEntry) -> str | None:
    """Return why this host cannot open an artifact, None if it can."""
    target = target_of(entry.target)
    return engine_of(target).closed(target, entry.artifact())


def unopened(entry: ArtifactEntry, closed: str) -> str:
    """Return why an artifact is not opened, and how far the build verified it."""
    return f"{closed}; verified in the build: {entry.verified}"


def _requested(
    wanted: str, entries: Mapping[str, ArtifactEntry], obstacles: Mapping[str, str | None], what: str
) -> ArtifactChoice:
    """Return the requested artifact. Raises SpecError E610 or E710."""
    if wanted not in entries:
        help = did_you_mean(str(wanted), entries, kind="artifacts")
        fail("E710", f"the bundle has no {what} `{wanted}`", None, help=help)
    found = obstacles[wanted]
    if found is not None:
        fail("E610", f"`{wanted}` cannot be run here", None, notes=[found])
    rejected = {name: "another artifact was requested" for name in entries if name != wanted}
    return ArtifactChoice(target=wanted, reason=f"requested; {entries[wanted].verified}", rejected=rejected)


def _merit(entry: ArtifactEntry, times: Times) -> tuple[float, ...]:
    """Return the sort key of an artifact; larger is better."""
    measured = times[entry.target]
    # A time is a fact, and the class of an engine a guess: what was not timed never beats what was.
    time = (0.0, 0.0) if measured is None else (1.0, -measured)
    return (RANKS.index(entry.verified), *time, _speed(entry))


def _speed(entry: ArtifactEntry) -> int:
    """Return the speed class of an artifact's engine."""
    target = target_of(entry.target)
    # Artifacts for GPUs can only be opened where there is one, and are then taken to be the fastest.
    return max(engine.speed for engine in engines().values()) if target.capabilities else engine_of(target).speed


def _reason(best: ArtifactEntry, able: list[ArtifactEntry], times: Times) -> str:
    """Say why the best artifact was chosen."""
    if len(able) == 1:
        return f"{best.verified}; the only one that this host can open"
    if any(entry.verified != best.verified for entry in able):
        return f"{best.verified}; verified further than the others that this host can open"
    measured = times[best.target]
    if measured is None:
        return f"{best.verified}; its engine is usually the fastest"
    timed = [entry for entry in able if times[entry.target] is not None]
    if len(timed) == 1:
        return f"{best.verified}; the only one that was timed: {measured:.3g} ms"
    of = "the fastest" if len(timed) == len(able) else "the fastest of those that were timed"
    return f"{best.verified}; {of}: {measured:.3g} ms"


def _beaten(entry: ArtifactEntry, best: ArtifactEntry, times: Times) -> str:
    """Say why an artifact that could be opened was not chosen."""
    if entry.verified != best.verified:
        return f"it is only {entry.verified}"
    measured = times[entry.target]
    if measured is not None:
        return f"it took {measured:.3g} ms when it was built"
    return "its engine is usually slower" if times[best.target] is None else "it was not timed when it was built"
