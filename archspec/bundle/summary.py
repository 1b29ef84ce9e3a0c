"""Describe a bundle in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from archspec.analyses.memory import in_words
from archspec.bundle.manifest import ArtifactEntry, Manifest, WeightsEntry, WholeEntry
from archspec.bundle.quantised_counts import rounded_words, stored_words
from archspec.bundle.report import BundleReport, ParityTrial, Timing, network_of, ranks_of, step_of
from archspec.contract.held import CLAIM, UNTIED
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
    yield f"  weights {origin}, {in_words(manifest.files[weights.path].bytes)}"
    yield from _quantised(manifest)
    yield from _original(weights)
    yield from (f"  unproved: {message}" for message in manifest.unproved)
    for entry in [*manifest.artifacts, *([manifest.genai] if manifest.genai else [])]:
        size = sum(manifest.files[name].bytes for name in entry.files)
        words = f"{entry.verified}{_time(bundle, entry)}{_parity(bundle, _judged(entry))}{_origin(bundle, entry)}"
        yield f"  {entry.target} {entry.dtype}, {in_words(size)}, {words}"
    yield from _ranks(bundle)
    yield from (_step(bundle, entry) for one in manifest.programs if one.part == "step" for entry in one.artifacts)
    for rejected in manifest.rejected:
        yield f"  {step_of(rejected.target)} failed: {rejected.code}: {rejected.message}"
        yield from (f"    {note}" for note in rejected.notes)


def _quantised(manifest: Manifest) -> Iterator[str]:
    """Say how many weights are integers, and what they would take as floats."""
    found = manifest.quantised
    if found is not None:
        if found.formats:
            sizes = f"{in_words(found.packed_bytes)} in artifacts; as floats {in_words(found.float_bytes)}"
            yield f"  weights quantised: {stored_words(found)}; {sizes}"
        on = "" if found.calibration is None else f", calibrated on {found.calibration.data}"
        if found.activations:
            yield f"  activations rounded: {rounded_words(found)}{on}"
        if found.kv_cache is not None:
            yield f"  cache rounded to {found.kv_cache}{on}"
        if found.unrounded:
            yield f"  weights unrounded, as in their file: {len(found.unrounded)} of {len(found.formats)}"
        yield from (f"    {one}" for one in found.rounded)
        if found.loss is not None:
            yield f"  loss: {found.loss}"
        yield from (f"  loss of {target}, inputs rounded: {loss}" for target, loss in found.rounding.items())


def _ranks(bundle: Described) -> Iterator[str]:
    """Describe the engines of tensor ranks: sizes, what they exchange, and what each of them holds whole."""
    found, files = bundle.manifest.tensor, bundle.manifest.files
    if found is None:
        return
    for targets in zip(*(program.artifacts for program in found.programs), strict=True):
        entry, engine = targets[0], targets[0].target.partition(":")[0]
        sizes = ", ".join(in_words(sum(files[name].bytes for name in one.files)) for one in targets)
        parity = _parity(bundle, network_of(ranks_of(engine, found.ranks)))
        yield f"  {ranks_of(entry.target, found.ranks)} {entry.dtype}: {sizes}; {entry.verified}{parity}"
    counts = Counter[str]()
    for one in found.exchanges:
        counts[one.kind] += one.times
    yield f"    exchanged in a forward pass: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
    # Kinds of layers of one list have the same paths.
    yield from dict.fromkeys(_whole(one) for one in found.whole)
    yield from (f"    {note}" for note in found.notes)


def _whole(entry: WholeEntry) -> str:
    """Say what is not split."""
    where = f" (line {entry.line})" if entry.line is not None else ""
    return f"    whole on every rank: {entry.path}{where}: {entry.reason}"


def _original(weights: WeightsEntry) -> Iterator[str]:
    """Say what given weights were held to, or that they were not compared with their original."""
    if weights.original is not None:
        yield f"  {CLAIM}: {weights.original}"
    elif weights.is_untied:
        yield f"  {UNTIED}: build with `--expect`"


def _step(bundle: Described, step: ArtifactEntry) -> str:
    """Describe the cached step of a target, with the size of all its parts and the tokens a second of one step."""
    parts = [one for program in bundle.manifest.programs for one in program.artifacts if one.target == step.target]
    size = sum(bundle.manifest.files[name].bytes for entry in parts for name in entry.files)
    name = step_of(step.target)
    timings = [timing for timing in bundle.report.timings if timing.artifact == name]
    speed = "".join(f", {_tokens(one)} tokens/s ({_at(one)})" for one in timings)
    return f"  {name} {step.dtype}, {in_words(size)}, {step.verified}{speed}{_parity(bundle, _judged_step(step))}"


def _tokens(timing: Timing) -> str:
    """Return the new positions a second of one row."""
    speed = 1e3 / timing.milliseconds
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"


def _time(bundle: Described, entry: ArtifactEntry) -> str:
    return "".join(f", {_at(timing)}" for timing in bundle.report.timings if timing.artifact == entry.target)


def _at(timing: Timing) -> str:
    return f"{timing.milliseconds:.3g} ms at {shown(timing.sizes)}"


def _judged_step(step: ArtifactEntry) -> str:
    """Return the name under which a step was compared, like `_judged`."""
    engine, _, _ = step.target.partition(":")
    return network_of(step_of(engine)) if step.verified == "network-verified-cpu" else step_of(step.target)


def _judged(entry: ArtifactEntry) -> str:
    """Return the name under which an artifact was compared: its network on the CPU if this host cannot run it."""
    engine, _, _ = entry.target.partition(":")
    return network_of(engine) if entry.verified == "network-verified-cpu" else entry.target


def _parity(bundle: Described, judged: str) -> str:
    """Return the largest difference of an artifact, or of its network, from each reference."""
    trials = [trial for trial in bundle.report.trials if trial.artifact == judged]
    references = list(dict.fromkeys(trial.reference for trial in trials))
    parts = [f"{_largest(trials, reference):.1e} from the {reference}" for reference in references]
    *first, last = parts or [""]
    return f"; at most {' and '.join([', '.join(first), last] if first else [last])}" if parts else ""


def _origin(bundle: Described, entry: ArtifactEntry) -> str:
    stages = {stage.name for stage in bundle.report.stages}
    return "; from the cache" if from_cache(entry.target) in stages else ""


def _largest(trials: list[ParityTrial], reference: str) -> float:
    return max(one.largest for trial in trials if trial.reference == reference for one in trial.differences)
