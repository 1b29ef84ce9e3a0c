"""Running probes: does an output move where it must stay?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.contract.probes import Probe
from archspec.contract.protocol import Subject
from archspec.contract.redraw import redraw
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record
from archspec.spec.claims import Claims

TOLERANCE = 1e-5
"""What may move where nothing tells a leak from rounding (no float64 run, no bits that stay), as a share of the largest
value or 1."""
EXACT_TOLERANCE = 1e-13
_MOST_SINGLE = 96


@record
class Leak:
    """An output position that moved, and the input positions that moved it: one, unless only several together do."""

    output: str
    at: tuple[int, ...]
    input: str
    sources: tuple[tuple[int, ...], ...]
    moved: float

    def __str__(self) -> str:
        output = f"{self.output}[{', '.join(map(str, self.at))}]"
        source = f"{self.input}[{', '.join(map(str, self.sources[0]))}]"
        more = f" and {len(self.sources) - 1} more positions" if len(self.sources) > 1 else ""
        return f"{output} depends on {source}{more} (it moves by {self.moved:.2g})"


@record
class Outcome:
    """What one probe showed: the largest movement where nothing may move, and the leak if it is one."""

    largest: float
    leak: Leak | None = None


@record(eq=False)
class Trial:
    """Inputs at some sizes, on which probes run."""

    claims: Claims
    subject: Subject
    arrays: Arrays
    sizes: Mapping[str, int]
    seed: int

    def run(self, probe: Probe) -> Outcome | None:
        """Change what the probe says; None where the promises leave nothing to change."""
        changed = self.changed(probe.changes)
        if changed is None:
            return None
        moved = self._moved(self.subject.runner, probe, changed)
        largest = max((float(array.max(initial=0.0)) for array in moved.values()), default=0.0)
        if largest == 0.0:
            return Outcome(largest=0.0)
        judge, tolerance = self.subject.runner, 0.0 if self.subject.is_still else TOLERANCE
        if self.subject.exact is not None:
            judge, tolerance = self.subject.exact, EXACT_TOLERANCE
            moved = self._moved(judge, probe, changed)
        leaks = {name: array for name, array in moved.items() if (array > tolerance).any()}
        for name, array in leaks.items():
            return Outcome(largest=largest, leak=self._leak(judge, tolerance, probe, name, array, changed))
        return Outcome(largest=largest)

    def changed(self, changes: Mapping[str, Array]) -> dict[str, Array] | None:
        """The inputs with other values at the given positions."""
        generator = np.random.default_rng(self.seed)
        made = dict(self.arrays)
        for name, at in changes.items():
            found = redraw(self.claims, self.claims.inputs[name], made[name], at, self.sizes, generator)
            if found is not None:
                made[name] = found
        return made if any(made[name] is not self.arrays[name] for name in changes) else None

    def _moved(self, runner: Runner, probe: Probe, changed: Arrays) -> dict[str, Array]:
        """By output: how far each held position moved, as a share of the output's largest value or 1."""
        before, after = runner.run(self.arrays), runner.run(changed)
        return {name: _apart(before[name], after[name], holds) for name, holds in probe.holds.items()}

    def _leak(self, runner: Runner, tolerance: float, probe: Probe, output: str, moved: Array, changed: Arrays) -> Leak:
        """The first output position that moved, with the first single input position that moves it."""
        found = np.argwhere(moved > tolerance)
        at = tuple(int(index) for index in found[0])
        far = float(moved[at])
        for name, place in self._singles(probe, at):
            only = np.zeros_like(probe.changes[name])
            only[place] = True
            where = only.reshape(only.shape + (1,) * (changed[name].ndim - only.ndim))
            arrays = {**self.arrays, name: np.where(where, changed[name], self.arrays[name])}
            alone = self._moved(runner, probe, arrays)[output]
            if alone[at] > tolerance:
                return Leak(output=output, at=at, input=name, sources=(place,), moved=float(alone[at]))
        name = next(iter(probe.changes))
        sources = tuple(_places(probe.changes[name]))
        return Leak(output=output, at=at, input=name, sources=sources, moved=far)

    def _singles(self, probe: Probe, at: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Changed positions, those of the output's own row first."""
        for name, changes in probe.changes.items():
            places = sorted(_places(changes), key=lambda place: (place[0] != at[0], place))
            yield from ((name, place) for place in places[:_MOST_SINGLE])


def _places(changes: Array) -> Iterator[tuple[int, ...]]:
    return (tuple(int(index) for index in place) for place in np.argwhere(changes))


def _apart(before: Array, after: Array, holds: Array) -> Array:
    """How far held positions moved, 0 elsewhere; over the axes that `holds` has, the largest of the others."""
    scale = max(1.0, float(np.abs(before).max(initial=0.0, where=np.isfinite(before))))
    with np.errstate(invalid="ignore"):
        apart = np.abs(after.astype(np.float64) - before.astype(np.float64)) / scale
    apart = np.where((before == after) | (np.isnan(before) & np.isnan(after)), 0.0, np.nan_to_num(apart, nan=np.inf))
    rest = tuple(range(holds.ndim, apart.ndim))
    return np.where(holds, apart.max(axis=rest, initial=0.0) if rest else apart, 0.0)
