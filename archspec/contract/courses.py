"""Courses: how many positions each row is given step by step, and where another sequence takes its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from archspec.record import record


@record
class Turn:
    """One step: the number of new positions of each row, and the rows that begin again before it."""

    counts: tuple[int, ...]
    again: tuple[int, ...] = ()


@record
class Stand:
    """Where rows stand when a turn begins: the number of each row's sequence, and how many positions of it were fed."""

    turn: Turn
    numbers: tuple[int, ...]
    past: tuple[int, ...]

    def without(self, rows: Collection[int]) -> Stand:
        """The same, where some rows rest."""
        counts = tuple(0 if row in rows else count for row, count in enumerate(self.turn.counts))
        return replace(self, turn=Turn(counts=counts, again=self.turn.again))


@record
class Course:
    """Steps in order.

    `is_close` means that the output at every new position is compared, where it can be had; otherwise at the last one
    of each row.
    """

    name: str
    turns: tuple[Turn, ...]
    is_close: bool = False

    def stands(self) -> Iterator[Stand]:
        """The turns, each with where the rows stand when it begins."""
        rows = len(self.turns[0].counts)
        numbers, past = [0] * rows, [0] * rows
        for turn in self.turns:
            for row in turn.again:
                numbers[row], past[row] = numbers[row] + 1, 0
            yield Stand(turn=turn, numbers=tuple(numbers), past=tuple(past))
            past = [one + count for one, count in zip(past, turn.counts, strict=True)]


@record
class CoursePlan:
    """What courses are made for.

    `total` is the number of positions of the longest row, `capacity` those of the buffers, and `first` how many
    positions the first step of a row takes at least (all of a shorter row). `is_even`: all rows advance together,
    because they share an input that steps feed.
    """

    rows: int
    total: int
    capacity: int
    first: int = 0
    is_even: bool = False


_Chunks = Sequence[tuple[int, bool]]
"""The chunks of one row, and whether another sequence begins with it."""


def courses(plan: CoursePlan, seed: int) -> Iterator[Course]:
    """Where rows are free, ragged chunks and slots that are used again; then chunks of 1, of 3 and of all positions."""
    if not plan.is_even:
        generator = np.random.default_rng(seed)
        yield Course(name="ragged", turns=_turns([_ragged(plan, generator) for _ in range(plan.rows)]))
        yield Course(name="slots used again", turns=_turns([_reused(plan, generator) for _ in range(plan.rows)]))
    for name, chunk in {"one at a time": 1, "three at a time": 3, "all at once": plan.total}.items():
        yield Course(name=name, turns=_turns([_even(plan.total, chunk, plan.first)] * plan.rows))


def twice(plan: CoursePlan, seed: int) -> Course:
    """The course that shows most: two sequences a row, as long as the capacity, in ragged chunks, all compared closely.

    Rows that advance together have one sequence, in chunks of 3.
    """
    if plan.is_even:
        turns = _turns([_even(plan.capacity, 3, plan.first)] * plan.rows)
        return Course(name="three at a time", turns=turns, is_close=True)
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(plan.rows):
        one, (first, *rest) = (_chunks(plan.capacity, plan.first, generator) for _ in range(2))
        rows.append([*one, (first[0], True), *rest])
    return Course(name="ragged, twice", turns=_turns(rows), is_close=True)


def _even(total: int, chunk: int, first: int) -> _Chunks:
    """Chunks of one size; the first is as large as it must be, the last smaller."""
    start = min(total, max(chunk, first))
    rest = range(start, total, chunk)
    return [(start, False), *((min(chunk, total - begin), False) for begin in rest)]


def _ragged(plan: CoursePlan, generator: np.random.Generator) -> list[tuple[int, bool]]:
    """Chunks up to a total of its own."""
    return _chunks(int(generator.integers(1, plan.total + 1)), plan.first, generator)


def _chunks(total: int, first: int, generator: np.random.Generator) -> list[tuple[int, bool]]:
    """Chunks of 0 to 4 positions; the first is as large as it must be."""
    left, drawn = total, int(generator.integers(1, 5))
    found: list[tuple[int, bool]] = [(min(left, max(drawn, first)), False)]
    left -= found[0][0]
    while left:
        # 0 too: a row may rest while others go on.
        found.append((min(left, int(generator.integers(0, 5))), False))
        left -= found[-1][0]
    return found


def _reused(plan: CoursePlan, generator: np.random.Generator) -> _Chunks:
    """A sequence that fills the whole capacity, and two that follow it."""
    found: list[tuple[int, bool]] = [(plan.capacity, False)]
    for _ in range(2):
        (first, _), *rest = _ragged(plan, generator)
        found += [(first, True), *rest]
    return found


def _turns(rows: Sequence[_Chunks]) -> tuple[Turn, ...]:
    """The steps in which all rows take their next chunks; rows that are done rest."""
    # A step in which every row rests has no positions to run.
    steps = [step for step in zip_longest(*rows, fillvalue=(0, False)) if any(count for count, _ in step)]
    return tuple(
        Turn(
            counts=tuple(count for count, _ in step),
            again=tuple(row for row, (_, is_new) in enumerate(step) if is_new),
        )
        for step in steps
    )
