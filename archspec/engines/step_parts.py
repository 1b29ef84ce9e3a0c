"""The parts in which a step is run where attention takes several new positions of one row alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.algebra.dim import Dim
from archspec.lower.step_programs import StepPrograms, row_axis
from archspec.model.runner import Array
from archspec.record import record


@record
class StepPart:
    """Rows of a step (None: all), and how many of the new positions are run, the first ones (None: all)."""

    row: int | None
    new: int | None

    def of_input(self, programs: StepPrograms, name: str, array: Array) -> Array:
        """The part of an input, by its name."""
        own = array if self.row is None else self._row(programs, name, array)
        if self.new is None:
            return own
        for axis, size in enumerate(programs.step.interface.inputs[name].type.shape):
            if size == Dim.of(programs.found.new):
                own = own[(slice(None),) * axis + (slice(self.new),)]
        return np.ascontiguousarray(own)

    def of_state(self, programs: StepPrograms, state: Mapping[str, Array]) -> Mapping[str, Array]:
        """The rows of the state, in its own memory; the state itself if they are all."""
        if self.row is None:
            return state
        return {name: self._row(programs, name, array) for name, array in state.items()}

    def _row(self, programs: StepPrograms, name: str, array: Array) -> Array:
        axes = row_axis(programs.step.interface.inputs[name].type, programs.found.rows, 0)
        if not axes:
            return array
        # A step whose rows are no axis of their own has no attention that is run in parts.
        assert self.row is not None
        assert axes[0] is not None
        return array[(slice(None),) * axes[0] + (slice(self.row, self.row + 1),)]


def parts(past: Array, counts: Array, places: Array, new: int) -> Iterator[StepPart]:
    """The parts of a step: all rows, or one after the other where some have had positions and several are new.

    Args:
        past: int64 [rows], how many positions each row has had.
        counts: int64 [rows], how many of the new ones are its own.
        places: int64 [rows], at which the output is.
        new: how many there are.
    """
    # What fills up a chunk is left out: it may have no room behind what is kept.
    needed = np.maximum(np.maximum(counts, places + 1), 1)
    most = int(needed.max())
    if most == 1 or not past.any():
        yield StepPart(row=None, new=None if most == new else most)
        return
    for row, own in enumerate(needed):
        yield StepPart(row=row, new=int(own))
