"""A spec to a bundle on disk."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archspec.bundle.bundle import Bundle
from archspec.bundle.files import entries_under
from archspec.bundle.inspection import Inspection, spanned
from archspec.bundle.manifest import MANIFEST, ArtifactEntry, Manifest, WeightsEntry, write_manifest
from archspec.bundle.read import open as open_bundle
from archspec.bundle.report import REPORT, Report, StageEntry, Trial
from archspec.bundle.sources import MODULE, SPEC, WEIGHTS, interface_of, texts_of
from archspec.bundle.staging import check_output, staging
from archspec.bundle.triton import Layout, arrange, check_served
from archspec.bundle.weights import Weights, put_weights
from archspec.diagnostics import Collector
from archspec.engines.build import Built, Workshop
from archspec.engines.cache import Recipe, tool_versions
from archspec.engines.engine import DTypeName, Target
from archspec.engines.process import Progress, Stage, run_step
from archspec.engines.profiles import Profile, declared, read_profiles
from archspec.engines.program import Program
from archspec.engines.registry import check_profiles, engine_of, read_dtype, read_targets
from archspec.lower.naming import class_name
from archspec.spec import Spec, load

CARRIED = "files"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ +-]*")


def build(
    spec: Spec | str | Path,
    out: str | Path,
    *,
    weights: Weights = None,
    targets: Sequence[str] = ("onnx",),
    dtype: str = "float32",
    weights_layout: str | None = None,
    layout: Layout = "bundle",
    files: Sequence[str | Path] = (),
    profiles: Sequence[str] = (),
    seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> Bundle:
    """Build a bundle: the spec, the emitted module, weights, an artifact for each target, and a report of parity.

    Args:
        spec: a loaded spec, a file, or the name of a shipped one.
        out: the folder to write. A bundle that stands there is replaced whole, and only once the new one is complete.
        weights: a safetensors file or folder, tensors by name, or None for a fresh module initialised under `seed`.
        targets: `onnx`, `openvino`, `inductor`, `tensorrt-rtx:sm86,sm89` (`sm86+sm89` is one engine for both).
        dtype: `float32`, `float16` or `bfloat16`: the precision of the artifacts.
        weights_layout: which of the spec's weight layouts the checkpoint has; left out, the one that fits.
        layout: `triton` puts the artifacts into a model repository of Triton Inference Server, in the folder `triton`.
        files: files to carry along, such as a tokenizer's.
        profiles: sizes that engines are built for, `batch=1,tokens=1:64:128` each; left out, all that are admitted.
        cache: take artifacts that were built before, of the same parts by the same tools, and keep what is built.
        progress: called with each step's name and the share of it that is done (None: not known).

    Returns:
        the bundle, opened.

    Raises:
        SpecError: for a target, dtype or output that cannot be had (before anything is built), weights that do not
            fit, a step that failed, or an artifact that does not compute what the module computes.
    """
    loaded = spec if isinstance(spec, Spec) else load(spec)
    wanted = read_targets(targets, dtype)
    if layout == "triton":
        check_served(wanted)
    ranges = read_profiles(profiles, tuple(loaded.dims.values()))
    check_profiles(wanted, len(ranges))
    carried = check_carried([Path(file) for file in files])
    output = Path(out)
    check_output(output)
    texts = texts_of(loaded)
    with staging(output) as folder:
        work = _Work(
            folder=folder,
            spec=loaded,
            dtype=read_dtype(dtype),
            profiles=ranges,
            layout=layout,
            cache=cache,
            progress=progress or _silent,
        )
        work.write(texts)
        entry, stages = put_weights(folder, loaded, work.program, weights, weights_layout, seed, work.progress)
        work.finish(wanted, carried, entry, stages)
    return open_bundle(output)


def check_carried(files: Sequence[Path]) -> tuple[Path, ...]:
    """The files to carry along. Raises SpecError E721 for each that is none, or has a name that stands twice."""
    found = Collector()
    names: set[str] = set()
    for file in files:
        if not file.is_file():
            found.error("E721", f"there is no file {file}", None)
        elif file.name in names:
            found.error("E721", f"two files are called `{file.name}`", None, help="rename one")
        elif not _FILE_NAME.fullmatch(file.name):
            found.error("E721", f"`{file.name}` is no name for a file of a bundle", None, help="rename it")
        names.add(file.name)
    found.raise_if_errors()
    return tuple(files)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A bundle that is being written in a folder."""

    folder: Path
    spec: Spec
    dtype: DTypeName
    profiles: tuple[Profile, ...]
    layout: Layout
    cache: bool
    progress: Progress

    @property
    def recipe(self) -> Recipe | None:
        """The key of what is built, to the user's cache; None where that is not to be used."""
        if not self.cache:
            return None
        name, digest = self.spec.name, self.spec.digest
        return Recipe(name=name, spec_digest=digest, folder=self.folder, program=self.program, dtype=self.dtype)

    @property
    def program(self) -> Program:
        interface = interface_of(self.spec)
        return Program(
            source=Path(MODULE),
            module=class_name(self.spec.name),
            weights=Path(WEIGHTS),
            interface=interface,
            profiles=self.profiles,
        )

    def write(self, texts: Mapping[str, str]) -> None:
        """Write text files by name."""
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def finish(
        self, targets: Sequence[Target], carried: Sequence[Path], weights: WeightsEntry, before: tuple[Stage, ...]
    ) -> None:
        """Build the artifacts, compare them, and write the report and the manifest."""
        workshop = Workshop(
            folder=self.folder, program=self.program, dtype=self.dtype, recipe=self.recipe, progress=self.progress
        )
        inspection = Inspection(
            folder=self.folder, program=self.program, dtype=self.dtype, spec=self.spec, progress=self.progress
        )
        with spanned(self.spec):
            built, stages = workshop.build(targets, inspection.inspect)
        inspection.check(built)
        if self.layout == "triton":
            built = arrange(self.folder, self.spec.name, built, self.program.interface, self.dtype)
        report = inspection.added(self.report(built, (*before, *stages)))
        (self.folder / REPORT).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for file in carried:
            (self.folder / CARRIED).mkdir(exist_ok=True)
            shutil.copyfile(file, self.folder / CARRIED / file.name)
        manifest = self.manifest(built, carried, weights, report)
        (self.folder / MANIFEST).write_text(write_manifest(manifest), encoding="utf-8")

    def report(self, built: Sequence[Built], before: Sequence[Stage]) -> Report:
        """Compare every artifact that this host can run. Raises SpecError E609."""
        trials: list[Trial] = []
        skipped: list[str] = []
        stages = list(before)
        for one in built:
            obstacle = engine_of(one.target).obstacle(one.target, one.artifact)
            if obstacle is not None:
                skipped.append(f"{one.target}: {obstacle}")
                continue
            outcome = run_step(
                "archspec.bundle.worker",
                "compare",
                self._comparison(one),
                folder=self.folder,
                stage=f"compare {one.target}",
                progress=self.progress,
            )
            trials += [Trial.model_validate(trial) for trial in outcome.result["trials"]]
            skipped += outcome.result["skipped"]
            stages.append(outcome.stage)
        measured = [StageEntry(name=s.name, seconds=s.seconds, peak_bytes=s.peak_bytes) for s in stages]
        return Report(trials=trials, skipped=skipped, stages=measured)

    def _comparison(self, one: Built) -> dict[str, object]:
        return {
            "engine": one.target.engine,
            "capabilities": one.target.capabilities,
            "dtype": self.dtype,
            "file": str(one.folder / one.artifact.files[0]),
            "program": self.program.to_json(),
            "spec": SPEC,
        }

    def manifest(
        self, built: Sequence[Built], carried: Sequence[Path], weights: WeightsEntry, report: Report
    ) -> Manifest:
        """The manifest of all that lies in the folder now."""
        executed = {trial.artifact for trial in report.trials}
        return Manifest(
            name=self.spec.name,
            about=self.spec.about,
            spec_digest=self.spec.digest,
            module=self.program.module,
            interface=self.program.interface,
            weights=weights,
            artifacts=[self._entry(one, str(one.target) in executed) for one in built],
            carried=[f"{CARRIED}/{file.name}" for file in carried],
            tools={"python": platform.python_version(), **tool_versions()},
            files=entries_under(self.folder),
        )

    def _entry(self, one: Built, executed: bool) -> ArtifactEntry:
        artifact = one.artifact
        return ArtifactEntry(
            target=artifact.target,
            dtype=artifact.dtype,
            files=[(one.folder / name).as_posix() for name in artifact.files],
            verified="executed" if executed else "network-verified-cpu" if artifact.network else "built",
            tool=artifact.tool,
            version=artifact.version,
            profiles=[{name: list(sizes) for name, sizes in profile.items()} for profile in self._ranges(one)],
            host=artifact.host,
            network=artifact.network,
            notes=list(artifact.notes),
            warnings=list(artifact.warnings),
        )

    def _ranges(self, one: Built) -> tuple[Profile, ...]:
        # Only engines of TensorRT are bound to profiles; the others run at whatever the spec admits.
        bound = engine_of(one.target).profiled
        return self.profiles if bound else (declared(self.spec.dims.values()),)


def _silent(stage: str, fraction: float | None) -> None:
    pass
