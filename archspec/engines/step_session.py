"""An opened step: one program that takes the state of a decoder and returns what replaces it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record


class StepSession(Protocol):
    """Runs the step of a decoder.

    With `by_rows`, several new positions are taken of one row, or of rows that have had none, and every one has to find
    room behind what is kept (see `step_parts`).
    """

    @property
    def by_rows(self) -> bool:
        """Whether it takes steps in parts alone."""
        ...

    @property
    def capacity(self) -> int | None:
        """How many entries the buffers of all positions must have, and no row may pass with new ones; None for any."""
        ...

    def run(self, inputs: Arrays, state: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute one step.

        Args:
            inputs: the inputs other than the state, by name.
            state: the state by name, which may be written in place.

        Returns:
            the outputs other than the state, and the state afterwards by the names of the inputs.

        Raises:
            SpecError: E610 if the runtime fails.
        """
        ...


@record(eq=False)
class FunctionalSession:
    """The step of any runner: what it returns replaces the state. `updates` gives the output of each such input."""

    runner: Runner
    updates: Mapping[str, str]
    by_rows: bool = False
    capacity: int | None = None

    def run(self, inputs: Arrays, state: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute one step; see `StepSession`."""
        found = self.runner.run({**inputs, **state})
        after = {
            name: found.pop(self.updates[name]) if name in self.updates else array for name, array in state.items()
        }
        return found, after
