"""An opened bundle: what it holds, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.bundle.choice import ArtifactChoice, choose
from archspec.bundle.manifest import ArtifactEntry, Manifest
from archspec.bundle.report import BundleReport
from archspec.bundle.sources import SPEC
from archspec.bundle.summary import summary
from archspec.checking.checks import accepted
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.registry import engine_of, target_of
from archspec.model.checked import Checked
from archspec.model.inputs import prepare
from archspec.model.ports import Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose files were all found to be as they were written. `artifact` is what runs where none is named."""

    path: Path
    manifest: Manifest
    report: BundleReport
    artifact: str | None = None
    _runners: dict[str, Runner] = field(default_factory=dict, repr=False, compare=False)

    def run(self, inputs: Mapping[str, NDArray[Any]], artifact: str | None = None) -> dict[str, NDArray[Any]]:
        """Outputs by name, from inputs by name; those with a default may be left out.

        `artifact` is a target of the bundle; left out, the one that it was opened with, or the best for this host.
        Raises SpecError: E610 or E710 for the artifact, E711 to E723 with every mistake in the inputs.
        """
        entry = self._entry(self.chosen(artifact))
        arrays = prepare(self.interface, inputs, entry.dtype, entry.profiles)
        return self._runner(entry).run(arrays)

    @cached_property
    def interface(self) -> Interface:
        """What the model takes and gives."""
        return self.manifest.interface.read()

    def chosen(self, artifact: str | None = None) -> str:
        """The target of the artifact that `run` takes. Raises SpecError E610 or E710."""
        return self.choice(artifact).target

    def choice(self, artifact: str | None = None) -> ArtifactChoice:
        """The artifact that `run` takes, why, and why not each other. Raises SpecError E610 or E710."""
        return choose(self.manifest, self.report, artifact or self.artifact)

    def checked(self, *, unproved: bool = False) -> Checked:
        """The bundle's spec, checked now; accepted as it is where the bundle was built so, or `unproved` is given.

        Raises SpecError with the diagnostics of the check where it does not hold and neither is so.
        """
        return accepted(self.path / SPEC, unproved=unproved or bool(self.manifest.unproved))

    def file(self, name: str) -> Path:
        """A file that was carried along, by its name. Raises SpecError E710."""
        names = [Path(path).name for path in self.manifest.carried]
        if name not in names:
            fail("E710", f"the bundle has no file `{name}`", None, help=did_you_mean(name, names, kind="files"))
        return self.path / self.manifest.carried[names.index(name)]

    def summary(self) -> str:
        """What the bundle holds, for a reader."""
        return summary(self)

    def _entry(self, target: str) -> ArtifactEntry:
        return next(entry for entry in self.manifest.artifacts if entry.target == target)

    def _runner(self, entry: ArtifactEntry) -> Runner:
        if entry.target not in self._runners:
            target = target_of(entry.target)
            path = self.path / entry.files[0]
            self._runners[entry.target] = engine_of(target).open(path, self.interface)
        return self._runners[entry.target]
