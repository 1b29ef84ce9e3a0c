"""An opened bundle: what it holds, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.bundle.inputs import prepare
from archspec.bundle.manifest import ArtifactEntry, Manifest
from archspec.bundle.report import Report
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.engine import Runner, Target
from archspec.engines.registry import engine_of, read_target

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose files were all found to be as they were written."""

    path: Path
    manifest: Manifest
    report: Report
    _runners: dict[str, Runner] = field(default_factory=dict, repr=False, compare=False)

    def run(self, inputs: Mapping[str, NDArray[Any]], artifact: str | None = None) -> dict[str, NDArray[Any]]:
        """Outputs by name, from inputs by name; those with a default may be left out.

        `artifact` is a target of the bundle; left out, the best that this host can run.
        Raises SpecError: E610 or E710 for the artifact, E711 to E720 with every mistake in the inputs.
        """
        entry = self._entry(self.chosen(artifact))
        arrays = prepare(self.manifest.interface, inputs, entry.dtype)
        return self._runner(entry).run(arrays)

    def chosen(self, artifact: str | None = None) -> str:
        """The target of the artifact that `run` takes. Raises SpecError E610 or E710."""
        names = [entry.target for entry in self.manifest.artifacts]
        if artifact is not None:
            if artifact not in names:
                help = did_you_mean(artifact, names, kind="artifacts")
                fail("E710", f"the bundle has no artifact `{artifact}`", None, help=help)
            obstacle = _obstacle(artifact)
            if obstacle is not None:
                fail("E610", f"`{artifact}` cannot be run here", None, notes=[obstacle])
            return artifact
        obstacles = {name: _obstacle(name) for name in names}
        # Engines come before the network that runs anywhere: the best is the most specific.
        open_here = [name for name in names if obstacles[name] is None]
        if not open_here:
            notes = [f"{name}: {obstacle}" for name, obstacle in obstacles.items()]
            fail("E710", "the bundle has no artifact that this host can run", None, notes=notes, help=_WITH_ONNX)
        return max(open_here, key=lambda name: (name != "onnx", -names.index(name)))

    def file(self, name: str) -> Path:
        """A file that was carried along, by its name. Raises SpecError E710."""
        names = [Path(path).name for path in self.manifest.carried]
        if name not in names:
            fail("E710", f"the bundle carries no file `{name}`", None, help=did_you_mean(name, names, kind="files"))
        return self.path / self.manifest.carried[names.index(name)]

    def summary(self) -> str:
        """What the bundle holds, for a reader."""
        from archspec.bundle.summary import summary

        return summary(self)

    def _entry(self, target: str) -> ArtifactEntry:
        return next(entry for entry in self.manifest.artifacts if entry.target == target)

    def _runner(self, entry: ArtifactEntry) -> Runner:
        if entry.target not in self._runners:
            target = _target(entry.target)
            path = self.path / entry.files[0]
            self._runners[entry.target] = engine_of(target).open(path, self.manifest.interface)
        return self._runners[entry.target]


_WITH_ONNX = "build the bundle with `--target onnx` too: it runs on any host"


def _target(text: str) -> Target:
    (target,) = read_target(text)
    return target


def _obstacle(text: str) -> str | None:
    target = _target(text)
    return engine_of(target).obstacle(target)
