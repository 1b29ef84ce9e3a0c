"""Comparison of steps with the full forward: after each step, each row against its own run from the beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from archspec.analyses.cost import cost
from archspec.contract.counted import counted, over
from archspec.contract.courses import Course, CoursePlan, courses
from archspec.contract.difference import difference
from archspec.contract.report import Finding, shown
from archspec.contract.sequences import Decoded, Rows
from archspec.contract.sizes import rule_points
from archspec.contract.steps import Steps
from archspec.model.runner import Array, Runner
from archspec.model.samples import patterns
from archspec.passes.incremental.incremental import incremental
from archspec.record import record
from archspec.spec.claims import Claims

CLAIM = "the cached step equals the full forward"
EXACT = 1e-10
"""The tolerance in float64, relative to the largest value or to 1."""
SPARE = 5
"""How many positions a capacity has beyond what rows need, where it has some."""
# Longer rows are tried only where windows ask for them.
_LONG = 24
_MOST_FLOPS = 200_000_000_000
_SHOWN = 6


@record(eq=False)
class Stepped:
    """What runs in steps, beside the full forward of the same model.

    `tolerance` is relative to the largest value or to 1; `how` is added to what is said of a difference.
    """

    steps: Steps
    full: Runner
    tolerance: float
    how: str = ""


def decoded(claims: Claims) -> Decoded | None:
    """What the contract needs to know of a decoder; None without a `decode` section.

    Raises:
        SpecError: E748 for a spec that has no cached step.
    """
    spec = claims.spec
    if spec is None or spec.decode is None:
        return None
    found = incremental(spec.graph, spec.decode.input, [spec.decode.output])
    return Decoded(claims=claims, decode=spec.decode, found=found)


def stepped(known: Decoded, judged: Sequence[Stepped], seed: int) -> Finding:
    """Hold steps to the full forward, at several sizes and in chunks of every kind.

    Rows have sequences of their own lengths; capacities are as large as is needed, and larger; sequences take the
    places of others, whose entries stay in the buffers; chunks are filled up with what means nothing.

    Args:
        known: the decoder.
        judged: the steps, such as those of a module and of its float64 twin.
        seed: seed of the inputs and of the ragged chunks.

    Returns:
        one finding: `violated` with the first row that differs, its position and chunks.

    Raises:
        SpecError: where a model fails to run.
    """
    largest, trials, notes, said = 0.0, 0, dict[str, None](), list[str]()
    for sizes, is_main in _points(known):
        for one in judged:
            race = _Race(known=known, judged=one, sizes=sizes, seed=seed)
            for outcome in race.outcomes(is_main):
                trials, largest = trials + outcome.trials, max(largest, outcome.apart if not one.how else 0.0)
                notes |= {outcome.note: None} if outcome.note else {}
                if outcome.apart > one.tolerance:
                    detail = f"{outcome.witness} differs by {outcome.apart:.2g}{one.how}, at {shown(sizes)}"
                    return Finding(claim=CLAIM, status="violated", detail=detail, trials=trials, largest=outcome.apart)
        said.append(shown(sizes))
    if not said:
        return Finding(claim=CLAIM, status="not measured", detail="one step costs too much to be repeated")
    detail = "; ".join([f"at {' and '.join(said)}", *notes])
    return Finding(claim=CLAIM, status="holds", detail=detail, trials=trials, largest=largest)


def _points(known: Decoded) -> Iterator[tuple[dict[str, int], bool]]:
    """Sizes, and whether every course is run there: the main ones, then long rows, and the shortest."""
    found = [point.sizes for point in rule_points(known.claims)]
    main, name = found[0], known.length.name
    most = max(_LONG, 3 * main[name])
    longest = max(found, key=lambda sizes: sizes[name] if sizes[name] <= most else 0)
    shortest = min(found, key=lambda sizes: sizes[name])
    for number, sizes in enumerate((main, longest, shortest)):
        # Two of the three may be one point.
        if sizes not in (main, longest, shortest)[:number] and _flops(known, sizes) * sizes[name] <= _MOST_FLOPS:
            yield sizes, sizes is main


def _flops(known: Decoded, sizes: Mapping[str, int]) -> int:
    assert known.claims.spec is not None
    return cost(known.claims.spec.graph).flops.value(sizes)


@record
class _Outcome:
    """The first difference that is too large and where it is, else the largest; and the number of comparisons."""

    apart: float
    trials: int
    witness: str = ""
    note: str = ""


@record(eq=False)
class _Race:
    """Steps and the full forward at one point: every row runs its own sequences."""

    known: Decoded
    judged: Stepped
    sizes: Mapping[str, int]
    seed: int

    def outcomes(self, is_main: bool) -> Iterator[_Outcome]:
        """The outcome of each course; away from the main point, and with padding, of one of free rows alone."""
        known = patterns(self.known.claims)
        for number, pattern in enumerate(known if is_main else known[-1:]):
            rows = self._rows(pattern, self.seed + 10 * number)
            plan = CoursePlan(
                rows=rows.count,
                total=self.sizes[self.known.length.name],
                capacity=rows.sizes[self.known.length.name],
                first=rows.first,
                is_even=self.known.is_even,
            )
            made = list(courses(plan, self.seed + number))
            full = _Full(rows, self.judged.full, is_short=is_main or self.known.found.has_prefix)
            for course in made if is_main and not number else [made[number % 2]] if is_main else made[:2]:
                yield self._outcome(course, rows, full)

    def _rows(self, pattern: str, seed: int) -> Rows:
        """Rows whose sequences fill a capacity that is, where the dim has room, larger than they need."""
        known = self.known
        most = known.length.max // known.length.multiple * known.length.multiple
        capacity = min(known.admitted(self.sizes[known.length.name] + SPARE), most)
        return Rows(decoded=known, sizes={**self.sizes, known.length.name: capacity}, pattern=pattern, seed=seed)

    def _outcome(self, course: Course, rows: Rows, full: _Full) -> _Outcome:
        """Run a course up to the first row that differs."""
        steps, numbers, past = self.judged.steps, [0] * rows.count, [0] * rows.count
        state = steps.start(rows.count, rows.sizes[self.known.length.name], rows.given(numbers))
        worst, trials = 0.0, 0
        for turn_number, turn in enumerate(course.turns):
            if turn.again:
                for row in turn.again:
                    numbers[row], past[row] = numbers[row] + 1, 0
                state = steps.restart(state, turn.again, rows.given(numbers))
                if state is None:
                    return _Outcome(apart=worst, trials=trials, note="no row can begin again")
            # Another seed at each step, so that what fills up differs: it must not matter.
            fed = rows.chunk(numbers, past, turn.counts, self.seed + turn_number)
            output, state = steps.step(state, fed, np.array(turn.counts))
            past = [one + count for one, count in zip(past, turn.counts, strict=True)]
            # The output of a row without new positions means nothing.
            for row in (row for row, count in enumerate(turn.counts) if count):
                wanted, counts = full.at(row, numbers[row], past[row])
                apart, trials = difference(output[row], wanted, counts).share(), trials + 1
                worst = max(worst, apart)
                if apart > self.judged.tolerance:
                    witness = _witness(course, turn_number, row, past[row])
                    return _Outcome(apart=apart, witness=witness, trials=trials)
        return _Outcome(apart=worst, trials=trials)


def _witness(course: Course, last: int, row: int, length: int) -> str:
    """The row, its position and the chunks in which its sequence was fed: the last ones, up to a limit."""
    first = max((n for n, turn in enumerate(course.turns[: last + 1]) if row in turn.again), default=0)
    chunks = [str(turn.counts[row]) for turn in course.turns[first : last + 1] if turn.counts[row]]
    fed = ", ".join(["...", *chunks[-_SHOWN:]] if len(chunks) > _SHOWN else chunks)
    return f"row {row}, position {length - 1}, fed in chunks of {fed} ({course.name}),"


class _Full:
    """The full forward of each row alone; each run is made once.

    With `is_short` a run ends at the position that is asked for. Otherwise one run of the whole sequence gives all of
    its positions, which costs less: that later ones do not change them is what runs of the other kind show.
    """

    def __init__(self, rows: Rows, runner: Runner, *, is_short: bool) -> None:
        self.rows = rows
        self.runner = runner
        self.is_short = is_short
        self._known: dict[tuple[int, int, int], tuple[Array, Array]] = {}

    def at(self, row: int, number: int, length: int) -> tuple[Array, Array]:
        """The output of a sequence of a row at the last of its first `length` positions, and what of it counts."""
        known = self.rows.decoded
        run = row, number, length if self.is_short else self.rows.sizes[known.length.name]
        if run not in self._known:
            arrays, sizes = self.rows.alone(*run)
            found = self.runner.run(arrays)[known.decode.output]
            positions = counted(known.claims, arrays, sizes)[known.decode.output]
            self._known[run] = found, over(positions, found.shape)
        found, counts = self._known[run]
        # Further rows are copies (see `Rows.alone`).
        return found[0, length - 1], counts[0, length - 1]
