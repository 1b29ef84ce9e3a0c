"""Steps together with the full forward of each row alone, at the positions where a course compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    """The first difference that is too large and where it is, else the largest; and the number of comparisons."""

    apart: Apart
    trials: int
    witness: str = ""
    note: str = ""


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

    The first difference above `tolerance`, which is relative to the largest value of an output or to 1, ends it.
    """

    rows: Rows
    course: Course
    full: FullForwards
    tolerance: float
    seed: int

    def outcome(self, steps: Steps) -> Finish:
        """Run the course up to the first row that differs. Raises SpecError where the model fails to run."""
        worst, trials, resting = Apart(place=(), largest=0.0, scale=1.0), 0, set[int]()
        state = steps.start(self.rows.count, self.rows.sizes[self.rows.decoded.length.name], self._given())
        for number, stand in enumerate(self.course.stands()):
            if again := stand.turn.again:
                renewed = steps.restart(state, again, self.rows.given(stand.numbers))
                # Rows that cannot begin again rest from now on.
                resting, state = (resting.union(again), state) if renewed is None else (resting, renewed)
            outputs, state = self._stepped(steps, state, stand.without(resting), number)
            for (row, place), output in outputs.items():
                wanted, counts = self.full.at(stand, row, place)
                apart, trials = difference(output, wanted, counts), trials + 1
                if apart.share() > self.tolerance:
                    witness = _witness(self.course, number, row, stand.past[row] + place)
                    return Finish(apart=apart, witness=witness, trials=trials)
                worst = max(worst, apart, key=Apart.share)
        return Finish(apart=worst, trials=trials, note="no row can begin again" if resting else "")

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
        found, counts = self._run(row, stand.numbers[row], stand.past[row] + stand.turn.counts[row])
        position = stand.past[row] + place
        # Further rows are copies (see `Rows.alone`).
        return found[0, position], counts[0, position]

    def rounding(self, twin: Runner) -> float:
        """How far the runs so far are from those of a float64 twin, relative to the largest value or to 1."""
        output = self.rows.decoded.decode.output
        shares = [0.0]
        for run, (found, counts) in self._known.items():
            exact = twin.run(self.rows.alone(*run)[0])[output]
            shares.append(difference(found, exact, counts).share())
        return max(shares)

    def _run(self, row: int, number: int, length: int) -> tuple[Array, Array]:
        known = self.rows.decoded
        run = row, number, length if self.is_short else self.rows.sizes[known.length.name]
        if run not in self._known:
            assert self._runner is not None
            arrays, sizes = self.rows.alone(*run)
            found = self._runner.run(arrays)[known.decode.output]
            positions = counted(known.claims, arrays, sizes)[known.decode.output]
            self._known[run] = found, over(positions, found.shape)
        return self._known[run]
