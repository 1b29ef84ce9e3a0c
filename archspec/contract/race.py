"""Steps together with the full forward of each row alone, at the positions where a course compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, isfinite
from statistics import median
from typing import Any

import numpy as np

from archspec.contract.counted import counted, over
from archspec.contract.courses import Course, CoursePlan, Stand, Turn
from archspec.contract.difference import Apart, difference
from archspec.contract.sequences import Decoded, Rows
from archspec.contract.steps import Peeking, Steps
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record

SPARE = 5
"""The number of positions that a capacity has beyond what rows need, in runs with spare ones."""
_SHOWN = 6


@record
class Finish:
    """The first difference that is too large and where it is, else the largest; and the number of comparisons.

    The largest is so relative to what is allowed there. `rounding` is how far rounding alone moves the full forward at
    that position, where that is known; `rounded` is the number of comparisons that it allowed more than the tolerance.
    """

    apart: Apart
    trials: int
    witness: str = ""
    note: str = ""
    rounding: float = 0.0
    rounded: int = 0

    def excuse(self, dtype: str) -> str:
        """What was allowed for rounding in a dtype, in words."""
        how = f"in {dtype}, rounding alone moves {self.rounded} of {self.trials} positions further than the tolerance"
        share = f"{self.apart.share():.2g} of the largest value, where rounding explains {self.rounding:.2g}"
        return f"{how}; where the step is off most, it is by {share}"


def rows_at(known: Decoded, sizes: Mapping[str, int], pattern: str, seed: int) -> Rows:
    """Rows whose sequences fill a capacity that is, where the dim has room, larger than they need."""
    # The claims may admit fewer positions than the spec: an engine is made for a range of sizes.
    within = known.claims.dims.get(known.length.name, known.length)
    most = within.max // within.multiple * within.multiple
    capacity = min(known.admitted(sizes[known.length.name] + SPARE), most)
    return Rows(decoded=known, sizes={**sizes, known.length.name: capacity}, pattern=pattern, seed=seed)


def plan_of(rows: Rows, total: int) -> CoursePlan:
    """What the courses of these rows are made for; `total` is the number of positions of the longest row."""
    capacity, is_even = rows.sizes[rows.decoded.length.name], rows.decoded.is_even
    return CoursePlan(rows=rows.count, total=total, capacity=capacity, first=rows.first, is_even=is_even)


@record(eq=False)
class Race:
    """Rows that run a course in steps, together with their full forwards.

    The first difference above `tolerance`, which is relative to the largest value of an output or to 1, ends it; where
    rounding alone moves the full forward further, that is what is allowed (see `FullForwards.round`).
    """

    rows: Rows
    course: Course
    full: FullForwards
    tolerance: float
    seed: int

    def outcome(self, steps: Steps) -> Finish:
        """Run the course up to the first row that differs. Raises SpecError where the model fails to run."""
        worst, resting = Finish(apart=Apart(place=(), largest=0.0, scale=1.0), trials=0), set[int]()
        state = steps.start(self.rows.count, self.rows.sizes[self.rows.decoded.length.name], self._given())
        for number, stand in enumerate(self.course.stands()):
            if again := stand.turn.again:
                renewed = steps.restart(state, again, self.rows.given(stand.numbers))
                # Rows that cannot begin again rest from now on.
                resting, state = (resting.union(again), state) if renewed is None else (resting, renewed)
            outputs, state = self._stepped(steps, state, stand.without(resting), number)
            for (row, place), output in outputs.items():
                wanted, counts = self.full.at(stand, row, place)
                rounding = self.full.rounding_at(stand, row, place)
                found = replace(
                    worst,
                    apart=difference(output, wanted, counts),
                    rounding=rounding,
                    trials=worst.trials + 1,
                    rounded=worst.rounded + (rounding > self.tolerance),
                )
                if self._excess(found) > 1.0:
                    return replace(found, witness=_witness(self.course, number, row, stand.past[row] + place))
                kept = max(worst, found, key=self._excess)
                worst = replace(kept, trials=found.trials, rounded=found.rounded)
        return replace(worst, note="no row can begin again" if resting else "")

    def _excess(self, found: Finish) -> float:
        """A difference relative to what is allowed at its position."""
        return found.apart.share() / max(self.tolerance, found.rounding)

    def _given(self) -> dict[str, Array]:
        return self.rows.given([0] * self.rows.count)

    def _stepped(self, steps: Steps, state: Any, stand: Stand, number: int) -> tuple[dict[tuple[int, int], Array], Any]:
        """The outputs that are compared after a step, by row and number of its new position, and the state after it."""
        turn, found = stand.turn, dict[tuple[int, int], Array]()
        if not any(turn.counts):
            return found, state
        # Another seed at each step, so that what fills up differs: it must not matter.
        fed = self.rows.chunk(stand.numbers, stand.past, turn.counts, self.seed + number)
        if self.course.is_close and isinstance(steps, Peeking):
            found |= _peeked(steps, state, fed, turn)
        output, state = steps.step(state, fed, np.array(turn.counts))
        # The output of a row without new positions means nothing.
        found |= {(row, count - 1): output[row] for row, count in enumerate(turn.counts) if count}
        return found, state


def _peeked(steps: Peeking, state: Any, fed: Arrays, turn: Turn) -> Iterator[tuple[tuple[int, int], Array]]:
    """The outputs at new positions before the last one of each row, with row and number of the position."""
    counts = np.array(turn.counts)
    for place in range(max(turn.counts) - 1):
        output = steps.peek(state, fed, counts, np.minimum(place, np.maximum(counts - 1, 0)))
        yield from (((row, place), output[row]) for row, count in enumerate(turn.counts) if count - 1 > place)


def _witness(course: Course, last: int, row: int, position: int) -> str:
    """The row, its position and the chunks in which its sequence was fed: the last ones, up to a limit."""
    first = max((n for n, turn in enumerate(course.turns[: last + 1]) if row in turn.again), default=0)
    chunks = [str(turn.counts[row]) for turn in course.turns[first : last + 1] if turn.counts[row]]
    fed = ", ".join(["...", *chunks[-_SHOWN:]] if len(chunks) > _SHOWN else chunks)
    return f"row {row}, position {position}, fed in chunks of {fed} ({course.name})"


class FullForwards:
    """The full forward of each row alone; each run is made once.

    With `is_short` a run ends where the chunk ends whose positions are asked for. Otherwise one run of the whole
    sequence gives all of its positions, which costs less: that later ones do not change them is what runs of the other
    kind show.
    """

    def __init__(self, rows: Rows, runner: Runner, *, is_short: bool) -> None:
        self.rows = rows
        self.is_short = is_short
        self._runner: Runner | None = runner
        self._known: dict[tuple[int, int, int], tuple[Array, Array]] = {}
        self._rounding: dict[tuple[int, int, int], list[float]] = {}

    def only(self, course: Course) -> FullForwards:
        """Make all runs that a course requests, and release the runner: no other course can be requested then."""
        for stand in course.stands():
            for row, count in enumerate(stand.turn.counts):
                if count:
                    self.at(stand, row, count - 1)
        self._runner = None
        return self

    def at(self, stand: Stand, row: int, place: int) -> tuple[Array, Array]:
        """The output of a row at one of its new positions in a turn, and what of it counts."""
        found, counts = self._run(*self._key(stand, row))
        position = stand.past[row] + place
        # Further rows are copies (see `Rows.alone`).
        return found[0, position], counts[0, position]

    def round(self, rounded: Runner, share: float = 1.0, most: float = inf) -> float:
        """Learn how far rounding alone moves each position of the runs so far; returns how far it moves most of them.

        Half precision hardly determines the outputs of a few inputs, whatever the order in which it rounds.

        Args:
            rounded: the same full forward in half precision.
            share: the part of what it rounds at a position, or at most of them if that is more, that is allowed there.
            most: the largest difference that is allowed anywhere.
        """
        output, found = self.rows.decoded.decode.output, dict[tuple[int, int, int], list[float]]()
        for run, (wanted, counts) in self._known.items():
            given = rounded.run(self.rows.alone(*run)[0])[output]
            shares = (difference(*each).share() for each in zip(given[0], wanted[0], counts[0], strict=True))
            # A value that is not finite excuses nothing.
            found[run] = [one if isfinite(one) else 0.0 for one in shares]
        typical = median(one for shares in found.values() for one in shares)
        self._rounding = {
            run: [min(share * max(one, typical), most) for one in shares] for run, shares in found.items()
        }
        return typical

    def rounding_at(self, stand: Stand, row: int, place: int) -> float:
        """How far rounding alone moves a row at one of its new positions in a turn; 0 where that is not known."""
        known = self._rounding.get(self._key(stand, row))
        return 0.0 if known is None else known[stand.past[row] + place]

    def rounding(self, twin: Runner) -> float:
        """How far the runs so far are from those of a float64 twin, relative to the largest value or to 1."""
        output = self.rows.decoded.decode.output
        shares = [0.0]
        for run, (found, counts) in self._known.items():
            exact = twin.run(self.rows.alone(*run)[0])[output]
            shares.append(difference(found, exact, counts).share())
        return max(shares)

    def _key(self, stand: Stand, row: int) -> tuple[int, int, int]:
        """The run of a row in a turn: the row, the number of its sequence, and the length."""
        length = stand.past[row] + stand.turn.counts[row]
        whole = self.rows.sizes[self.rows.decoded.length.name]
        return row, stand.numbers[row], length if self.is_short else whole

    def _run(self, row: int, number: int, length: int) -> tuple[Array, Array]:
        known, run = self.rows.decoded, (row, number, length)
        if run not in self._known:
            assert self._runner is not None
            arrays, sizes = self.rows.alone(*run)
            found = self._runner.run(arrays)[known.decode.output]
            positions = counted(known.claims, arrays, sizes)[known.decode.output]
            self._known[run] = found, over(positions, found.shape)
        return self._known[run]
