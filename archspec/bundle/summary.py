"""A bundle in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.report import Trial, network_of
from archspec.contract.report import shown
from archspec.engines.build import from_cache

if TYPE_CHECKING:
    from archspec.bundle.bundle import Bundle


def summary(bundle: Bundle) -> str:
    """Name, weights, each artifact with its size and how far it was verified, and the largest differences measured."""
    return "\n".join(_lines(bundle))


def _lines(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    weights = manifest.weights
    origin = "given" if weights.origin == "given" else f"initialised under seed {weights.seed}"
    yield f"{manifest.name} in {bundle.path}"
    yield f"  weights {origin}, {_megabytes(manifest.files[weights.path].bytes)}"
    for entry in manifest.artifacts:
        size = sum(manifest.files[name].bytes for name in entry.files)
        told = f"{entry.verified}{_time(bundle, entry)}{_parity(bundle, entry)}{_origin(bundle, entry)}"
        yield f"  {entry.target} {entry.dtype}, {_megabytes(size)}, {told}"


def _time(bundle: Bundle, entry: ArtifactEntry) -> str:
    timings = [timing for timing in bundle.report.timings if timing.artifact == entry.target]
    return "".join(f", {timing.milliseconds:.3g} ms at {shown(timing.sizes)}" for timing in timings)


def _parity(bundle: Bundle, entry: ArtifactEntry) -> str:
    engine, _, _ = entry.target.partition(":")
    judged = network_of(engine) if entry.verified == "network-verified-cpu" else entry.target
    trials = [trial for trial in bundle.report.trials if trial.artifact == judged]
    references = list(dict.fromkeys(trial.reference for trial in trials))
    parts = [f"{_largest(trials, reference):.1e} from the {reference}" for reference in references]
    return f"; at most {' and '.join(parts)}" if parts else ""


def _origin(bundle: Bundle, entry: ArtifactEntry) -> str:
    stages = {stage.name for stage in bundle.report.stages}
    return "; from the cache" if from_cache(entry.target) in stages else ""


def _largest(trials: list[Trial], reference: str) -> float:
    return max(one.largest for trial in trials if trial.reference == reference for one in trial.differences)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
