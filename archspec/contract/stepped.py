"""Comparison of steps with the full forward: after each step, each row against its own run from the beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from archspec.analyses.cost import cost
from archspec.contract.courses import Course, courses, twice
from archspec.contract.perturb import ROUNDING
from archspec.contract.race import Finish, FullForwards, Race, plan_of, rows_at
from archspec.contract.report import Finding, shown
from archspec.contract.sequences import Decoded, Rows
from archspec.contract.sizes import probe, rule_points
from archspec.contract.steps import Peeking, Steps
from archspec.model.runner import Runner
from archspec.model.samples import patterns
from archspec.oracle.borders import MOST, TWICE
from archspec.passes.incremental.incremental import incremental
from archspec.record import record
from archspec.spec.claims import Claims

CLAIM = "the cached step equals the full forward"
EXACT = 1e-10
"""The tolerance in float64, relative to the largest value or to 1."""
# Longer rows are tried only where windows require them.
_LONG = 24
_MOST_FLOPS = 200_000_000_000
_ROUNDINGS = 8
"""A step rounds as a full forward does, in another order; the largest of many roundings are compared."""


@record(eq=False)
class Stepped:
    """What runs in steps, together with the full forward of the same model.

    `tolerance` is relative to the largest value or to 1; `how` is added to what is said of a difference. With a float64
    `twin` of the full forward, whose own steps hold, a difference counts only beyond what the forward rounds. Of a
    model that rounds what it computes, `nudged` is the full forward as far off as that leaves open.
    """

    steps: Steps
    full: Runner
    tolerance: float
    how: str = ""
    twin: Runner | None = None
    nudged: Runner | None = None


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
            for outcome, allowed in _outcomes(known, one, sizes, seed, is_main):
                apart = outcome.apart.share()
                trials, largest = trials + outcome.trials, max(largest, apart if not one.how else 0.0)
                notes |= {outcome.note: None} if outcome.note else {}
                if apart > max(allowed, outcome.rounding):
                    detail = f"{outcome.witness}, differs by {apart:.2g}{one.how}, at {shown(sizes)}"
                    return Finding(claim=CLAIM, status="violated", detail=detail, trials=trials, largest=apart)
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


def _outcomes(
    known: Decoded, judged: Stepped, sizes: Mapping[str, int], seed: int, is_main: bool
) -> Iterator[tuple[Finish, float]]:
    """The outcome of each course, and its tolerance; away from the main point, and with padding, of free rows alone."""
    arranged = patterns(known.claims)
    # The last pattern has padding where some is admitted.
    for number, pattern in enumerate(arranged if is_main else arranged[-1:]):
        rows = rows_at(known, sizes, pattern, seed + 10 * number)
        plan = plan_of(rows, sizes[known.length.name])
        made = list(courses(plan, seed + number))
        if isinstance(judged.steps, Peeking):
            made.append(twice(plan, seed + number))
        full = FullForwards(rows, judged.full, is_short=is_main or known.found.has_prefix)
        for course in made if is_main and not number else [made[number % 2]] if is_main else made[:2]:
            if judged.nudged is not None:
                full = FullForwards(rows, judged.full, is_short=full.is_short).only(course)
                full.round(judged.nudged, share=TWICE, most=MOST)
            race = Race(rows=rows, course=course, full=full, tolerance=judged.tolerance, seed=seed)
            found, allowed = race.outcome(judged.steps), judged.tolerance
            if found.apart.share() > allowed and judged.twin is not None:
                allowed = max(allowed, min(_ROUNDINGS * full.rounding(judged.twin), ROUNDING))
                found = replace(race, tolerance=allowed).outcome(judged.steps)
            yield found, allowed


def _flops(known: Decoded, sizes: Mapping[str, int]) -> int:
    assert known.claims.spec is not None
    return cost(known.claims.spec.graph).flops.value(sizes)


@record(eq=False)
class Glance:
    """One course at small sizes, with as much padding as is admitted: what a build can afford of `stepped`.

    Every position of every row is compared; windows wrap, and other sequences take the places of the first.
    """

    known: Decoded
    seed: int

    @cached_property
    def rows(self) -> Rows:
        """The rows that are run; their sizes have the capacity as the number of positions."""
        return rows_at(self.known, probe(self.known.claims), patterns(self.known.claims)[-1], self.seed)

    def wanted(self, full: Runner) -> FullForwards:
        """All full forwards: those of whole sequences, or of parts where a prefix makes later positions count."""
        return FullForwards(self.rows, full, is_short=self.known.found.has_prefix).only(self._course)

    def outcome(self, steps: Steps, wanted: FullForwards, tolerance: float) -> Finish:
        """Hold steps to the full forwards. Raises SpecError where the model fails to run."""
        race = Race(rows=self.rows, course=self._course, full=wanted, tolerance=tolerance, seed=self.seed)
        return race.outcome(steps)

    @cached_property
    def _course(self) -> Course:
        return twice(plan_of(self.rows, self.rows.sizes[self.known.length.name]), self.seed)
