"""Compute the progress of a build from the phases that TensorRT reports."""

from __future__ import annotations

from collections.abc import Callable

import tensorrt_rtx as trt

from archspec.record import record


@record
class _Phase:
    """A running phase: the phase it is part of, and its number of steps."""

    parent: str | None
    steps: int


class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
    """Reports the share of the build that is done. A nested phase counts as a part of its parent's next step."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        trt.IProgressMonitor.__init__(self)
        self.tell = tell
        self.phases: dict[str, _Phase] = {}
        self.done: dict[str, int] = {}
        self.share = 0.0

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """Note that a phase begins; called by TensorRT."""
        # A phase may have no steps, and shares are divided by them.
        self.phases[name] = _Phase(parent=parent, steps=max(1, steps))
        self.done[name] = 0

    def step_complete(self, name: str, step: int) -> bool:
        """Note that a step is done; called by TensorRT. Returning False would cancel the build."""
        self.done[name] = step + 1
        self._tell()
        return True

    def phase_finish(self, name: str) -> None:
        """Note that a phase ends; called by TensorRT."""
        phase = self.phases.pop(name, None)
        self.done.pop(name, None)
        if phase is not None and phase.parent is None:
            self.tell(1.0)

    def _tell(self) -> None:
        """Report the share if it has grown, so that progress never goes back."""
        roots = [name for name, phase in self.phases.items() if phase.parent not in self.phases]
        share = max((self._share(name) for name in roots), default=0.0)
        if share > self.share:
            self.share = share
            self.tell(share)

    def _share(self, name: str) -> float:
        """Return the share of a phase that is done, including the largest of its nested phases."""
        inner = [self._share(one) for one, phase in self.phases.items() if phase.parent == name]
        return min(1.0, (self.done[name] + max(inner, default=0.0)) / self.phases[name].steps)
