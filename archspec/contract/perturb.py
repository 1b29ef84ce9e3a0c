"""Runs probes: changes some input positions and looks for output positions that change although they must not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from math import isfinite

import numpy as np

from archspec.contract.counted import counted, over
from archspec.contract.probes import InputProbe
from archspec.contract.protocol import Subject
from archspec.contract.redraw import redraw
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record
from archspec.spec.claims import Claims

# The largest relative movement in float64 that may be rounding.
EXACT_TOLERANCE = 1e-13
ROUNDING = 1e-3
"""A larger change in float32 counts as a dependence, whatever the float64 twin shows: it is not rounding."""
# The number of single input positions of each input that are tried to explain a leak.
_MOST_SINGLE = 96


@record
class Leak:
    """An output position that moved, and the input positions that moved it: one, unless no single tried one does.

    `moved` is relative to the output's largest absolute value, or to 1 if that is larger. `beside` tells what else the
    output depends on, where the two together are the leak.
    """

    output: str
    at: tuple[int, ...]
    input: str
    sources: tuple[tuple[int, ...], ...]
    moved: float
    is_padding: bool = False
    beside: str = ""

    def __str__(self) -> str:
        output = f"{self.output}[{', '.join(map(str, self.at))}]"
        source = f"{self.input}[{', '.join(map(str, self.sources[0]))}]"
        more = f" and {len(self.sources) - 1} more positions" if len(self.sources) > 1 else ""
        padding = "; it is padding by an `ignores` rule: exclude it with `at`" if self.is_padding else ""
        return f"{output} depends on {source}{more}{self.beside} (it changes by {self.moved:.2g}){padding}"


@record
class Outcome:
    """The result of one probe: the largest movement of held positions, and the leak if it is more than rounding."""

    largest: float
    leak: Leak | None = None


@record(eq=False)
class Perturbation:
    """Inputs at some sizes, on which probes run. The outputs on the unchanged inputs are computed once per runner."""

    claims: Claims
    subject: Subject
    arrays: Arrays
    sizes: Mapping[str, int]
    seed: int
    _kept: dict[int, dict[str, Array]] = field(default_factory=dict)

    def run(self, probe: InputProbe) -> Outcome | None:
        """Change the probe's input positions and compare the held output positions.

        A finite float64 twin separates leaks from rounding, and the model's own run counts only if it moves by more
        than rounding can explain. Without a finite twin, the model's own run decides alone.

        Returns:
            the outcome; None if the promises of the inputs admit no change, or if a subject with large parameters gives
            values that are not finite.
        """
        if probe.first is not None:
            return self._both(probe, probe.first)
        changed = self.changed(probe.changes)
        if changed is None:
            return None
        subject = self.subject
        moved = self._moved(subject.runner, probe, changed)
        largest = _most(moved)
        if largest == 0.0 or (subject.is_loud and not isfinite(largest)):
            return Outcome(largest=0.0) if largest == 0.0 else None
        judges = [(subject.runner, moved, 0.0 if subject.is_still else subject.tolerance)]
        if subject.exact is not None:
            exactly = self._moved(subject.exact, probe, changed)
            if isfinite(_most(exactly)):
                most = max(ROUNDING, subject.precision.parity)
                judges = [(subject.exact, exactly, EXACT_TOLERANCE), (subject.runner, moved, most)]
        for runner, found, tolerance in judges:
            for name, array in found.items():
                if (array > tolerance).any():
                    return Outcome(largest=largest, leak=self._leak(runner, tolerance, probe, name, array, changed))
        return Outcome(largest=largest)

    def _both(self, probe: InputProbe, first: Mapping[str, Array]) -> Outcome | None:
        """Change the first positions, and then the others, for the output positions that the first ones move."""
        changed = self.changed(first)
        if changed is None:
            return None
        subject, tolerance = self.subject, self.subject.tolerance
        moved = self._moved(subject.runner, probe, changed)
        if subject.exact is not None:
            exactly = self._moved(subject.exact, probe, changed)
            if isfinite(_most(exactly)):
                moved, tolerance = exactly, EXACT_TOLERANCE
        holds = {name: np.isfinite(array) & (array > tolerance) for name, array in moved.items()}
        if not any(held.any() for held in holds.values()):
            return Outcome(largest=0.0)
        outcome = self.run(replace(probe, holds=holds, first=None))
        if outcome is None or outcome.leak is None:
            return outcome
        (places,) = first.values()
        beside = f" and on positions up to {[int(index) for index in np.argwhere(places)[-1]]}"
        return replace(outcome, leak=replace(outcome.leak, beside=beside))

    def changed(self, changes: Mapping[str, Array]) -> dict[str, Array] | None:
        """The inputs with other values at the given positions, by input; None if no input can change."""
        generator = np.random.default_rng(self.seed)
        made = dict(self.arrays)
        for name, at in changes.items():
            found = redraw(self.claims, self.claims.inputs[name], made[name], at, self.sizes, generator)
            if found is not None:
                made[name] = found
        return made if any(made[name] is not self.arrays[name] for name in changes) else None

    def _moved(self, runner: Runner, probe: InputProbe, changed: Arrays) -> dict[str, Array]:
        """By output: how far each held position moved, relative to the output's largest value or to 1."""
        # By identity, since runners need no hash of their own.
        if id(runner) not in self._kept:
            self._kept[id(runner)] = runner.run(self.arrays)
        before, after = self._kept[id(runner)], runner.run(changed)
        holds = probe.holds.items()
        return {name: _apart(before[name], after[name], held, self._counted[name]) for name, held in holds}

    @cached_property
    def _counted(self) -> dict[str, Array]:
        return counted(self.claims, self.arrays, self.sizes)

    def _is_padding(self, output: str, at: tuple[int, ...]) -> bool:
        """Whether an output position is padding that an `ignores` rule excludes."""
        positions = self._counted[output]
        if positions.ndim > len(at):
            return False
        # A leading axis of size 1 is broadcast.
        return not positions[tuple(min(place, size - 1) for place, size in zip(at, positions.shape, strict=False))]

    def _leak(
        self, runner: Runner, tolerance: float, probe: InputProbe, output: str, moved: Array, changed: Arrays
    ) -> Leak:
        """The first output position that changed, with the first single input position that changes it.

        If no single one of those tried does, all changed positions of the first input are given.
        """
        found = np.argwhere(moved > tolerance)
        at = tuple(int(index) for index in found[0])
        far, padding = float(moved[at]), self._is_padding(output, at)
        for name, place in self._singles(probe, at):
            only = np.zeros_like(probe.changes[name])
            only[place] = True
            where = only.reshape(only.shape + (1,) * (changed[name].ndim - only.ndim))
            arrays = {**self.arrays, name: np.where(where, changed[name], self.arrays[name])}
            alone = self._moved(runner, probe, arrays)[output]
            if alone[at] > tolerance:
                far = float(alone[at])
                return Leak(output=output, at=at, input=name, sources=(place,), moved=far, is_padding=padding)
        name = next(iter(probe.changes))
        sources = tuple(_places(probe.changes[name]))
        return Leak(output=output, at=at, input=name, sources=sources, moved=far, is_padding=padding)

    def _singles(self, probe: InputProbe, at: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Changed input positions, those in the output position's own row first."""
        for name, changes in probe.changes.items():
            places = sorted(_places(changes), key=lambda place: (place[0] != at[0], place))
            yield from ((name, place) for place in places[:_MOST_SINGLE])


def _places(changes: Array) -> Iterator[tuple[int, ...]]:
    return (tuple(int(index) for index in place) for place in np.argwhere(changes))


def _most(moved: Mapping[str, Array]) -> float:
    return max((float(array.max(initial=0.0)) for array in moved.values()), default=0.0)


def _apart(before: Array, after: Array, holds: Array, positions: Array) -> Array:
    """How far held positions moved, 0 elsewhere: over the leading axes that `holds` has, the maximum over the others.

    A value that is not finite is infinitely far from everything, even from itself. At padding, which rules exclude, a
    value that stays the same has not moved, even NaN.
    """
    if before.dtype.kind != "f":
        apart = (before != after).astype(np.float64)
    else:
        scale = max(1.0, float(np.abs(before).max(initial=0.0, where=np.isfinite(before))))
        with np.errstate(invalid="ignore"):
            apart = np.abs(after.astype(np.float64) - before.astype(np.float64)) / scale
        apart = np.where(np.isfinite(apart), apart, np.inf)
        stays = (before == after) | (np.isnan(before) & np.isnan(after))
        apart = np.where(stays & ~over(positions, before.shape), 0.0, apart)
    rest = tuple(range(holds.ndim, apart.ndim))
    return np.where(holds, apart.max(axis=rest, initial=0.0) if rest else apart, 0.0)
