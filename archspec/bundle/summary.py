"""Describe a bundle in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from archspec.bundle.manifest import ArtifactEntry, Manifest
from archspec.bundle.report import BundleReport, ParityTrial, network_of
from archspec.contract.report import shown
from archspec.engines.build import from_cache


class Described(Protocol):
    """What a summary needs: a folder, its manifest and its report."""

    @property
    def path(self) -> Path:
        """The folder of the bundle."""
        ...

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        ...

    @property
    def report(self) -> BundleReport:
        """Its measurements."""
        ...


def summary(bundle: Described) -> str:
    """Return name, weights, each artifact with its size and verification, and the largest measured differences."""
    return "\n".join(_lines(bundle))


def _lines(bundle: Described) -> Iterator[str]:
    manifest = bundle.manifest
    weights = manifest.weights
    origin = "given" if weights.origin == "given" else f"initialised under seed {weights.seed}"
    yield f"{manifest.name} in {bundle.path}"
    yield f"  weights {origin}, {_megabytes(manifest.files[weights.path].bytes)}"
    yield from (f"  unproved: {message}" for message in manifest.unproved)
    for entry in [*manifest.artifacts, *([manifest.genai] if manifest.genai else [])]:
        size = sum(manifest.files[name].bytes for name in entry.files)
        words = f"{entry.verified}{_time(bundle, entry)}{_parity(bundle, entry)}{_origin(bundle, entry)}"
        yield f"  {entry.target} {entry.dtype}, {_megabytes(size)}, {words}"


def _time(bundle: Described, entry: ArtifactEntry) -> str:
    timings = [timing for timing in bundle.report.timings if timing.artifact == entry.target]
    return "".join(f", {timing.milliseconds:.3g} ms at {shown(timing.sizes)}" for timing in timings)


def _parity(bundle: Described, entry: ArtifactEntry) -> str:
    """Return the largest difference of an artifact from each reference.

    For an engine that this host cannot run, it is that of its network on the CPU.
    """
    engine, _, _ = entry.target.partition(":")
    judged = network_of(engine) if entry.verified == "network-verified-cpu" else entry.target
    trials = [trial for trial in bundle.report.trials if trial.artifact == judged]
    references = list(dict.fromkeys(trial.reference for trial in trials))
    parts = [f"{_largest(trials, reference):.1e} from the {reference}" for reference in references]
    return f"; at most {' and '.join(parts)}" if parts else ""


def _origin(bundle: Described, entry: ArtifactEntry) -> str:
    stages = {stage.name for stage in bundle.report.stages}
    return "; from the cache" if from_cache(entry.target) in stages else ""


def _largest(trials: list[ParityTrial], reference: str) -> float:
    return max(one.largest for trial in trials if trial.reference == reference for one in trial.differences)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
