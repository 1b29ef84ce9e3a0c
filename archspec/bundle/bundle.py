"""An opened bundle: its contents, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.choice import ArtifactChoice, choose
from archspec.bundle.manifest import ArtifactEntry, Manifest
from archspec.bundle.report import BundleReport
from archspec.bundle.sources import SPEC
from archspec.bundle.summary import summary
from archspec.checking.checks import accepted
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.opening import open_artifact
from archspec.engines.registry import target_of
from archspec.model.checked import Checked
from archspec.model.inputs import prepare
from archspec.model.ports import Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose files were all found unchanged.

    `artifact` is the target that runs if none is named; None chooses the best for this host. With `exact`, none rounds
    what it multiplies with quantised weights, whatever the bundle was built for.
    """

    path: Path
    manifest: Manifest
    report: BundleReport
    artifact: str | None = None
    exact: bool = False
    _runners: dict[str, Runner] = field(default_factory=dict, repr=False, compare=False)

    def run(self, inputs: Mapping[str, NDArray[Any]], artifact: str | None = None) -> dict[str, NDArray[Any]]:
        """Compute outputs by name from inputs by name; inputs with a default may be left out.

        `artifact` is a target of the bundle; without it, the one the bundle was opened with is used, or the best for
        this host. An artifact is loaded on its first use and kept.
        Raises SpecError: E610 or E710 for the artifact, E711 to E723 with every mistake in the inputs.
        """
        entry = self._entry(self.chosen(artifact))
        arrays = prepare(self.interface, inputs, entry.dtype, entry.profiles)
        return self._runner(entry).run(arrays)

    @cached_property
    def interface(self) -> Interface:
        """The inputs and outputs of the model, with their types."""
        return self.manifest.interface.read()

    def chosen(self, artifact: str | None = None) -> str:
        """Return the target of the artifact that `run` uses. Raises SpecError E610 or E710."""
        return self.choice(artifact).target

    def choice(self, artifact: str | None = None) -> ArtifactChoice:
        """Return the artifact that `run` uses, with the reason, and why each other was rejected.

        Raises SpecError E610 or E710.
        """
        tensor = self.manifest.tensor
        if tensor is not None:
            message = f"the bundle has an engine for each of {tensor.ranks} tensor ranks, and none of the whole model"
            fail("E710", message, None, notes=tensor.notes[:1], help="build without `--tensor` to run it here")
        return choose(self.manifest.artifacts, self.report, artifact or self.artifact)

    def checked(self, *, unproved: bool = False) -> Checked:
        """Check the bundle's spec now and return it with its verdicts.

        Something that does not hold is accepted if the bundle was built that way or `unproved` is given; otherwise
        SpecError is raised with the diagnostics of the check.
        """
        return accepted(bundled_spec(self.path / SPEC), unproved=unproved or bool(self.manifest.unproved))

    def file(self, name: str) -> Path:
        """Return the path of a carried file by its name. Raises SpecError E710."""
        names = [Path(path).name for path in self.manifest.carried]
        if name not in names:
            fail("E710", f"the bundle has no file `{name}`", None, help=did_you_mean(name, names, kind="files"))
        return self.path / self.manifest.carried[names.index(name)]

    def summary(self) -> str:
        """Describe the bundle in a few lines for a reader."""
        return summary(self)

    def _entry(self, target: str) -> ArtifactEntry:
        return next(entry for entry in self.manifest.artifacts if entry.target == target)

    def _runner(self, entry: ArtifactEntry) -> Runner:
        """Return the opened artifact, from the first use on the same one."""
        if entry.target not in self._runners:
            target = target_of(entry.target)
            path = self.path / entry.files[0]
            rounded = self.rounds(entry.target)
            self._runners[entry.target] = open_artifact(target, path, self.interface, rounded=rounded)
        return self._runners[entry.target]

    def exactly(self) -> Bundle:
        """The same bundle, none of whose artifacts rounds what it multiplies with quantised weights."""
        return replace(self, exact=True, _runners={})

    def rounds(self, target: str) -> bool:
        """Whether the artifacts of a target round what they multiply with quantised weights."""
        return not self.exact and target in self.manifest.rounded
