"""The prover is never unsound, and mostly exact; a prover with one rule broken is found out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rules.breakage import BREAKAGES
from tests.rules.fuzz import Tally, first_unsound, run

QUICKLY_FOUND = {"ranges_of_the_wrong_end", "contained_without_guards", "controls_read_nothing", "negation_forgotten"}

FIRST_TRIED = {
    "prefix_moved_by_the_upper_end": 1_570,
    "contradiction_without_the_offset": 320,
    "segments_by_any_key": 180,
    "controls_not_erased": 170,
    "scales_not_crossed": 120,
}
"""Where the search for a rare fault begins: many graphs before hold."""


def check(tally: Tally) -> None:
    share = tally.exact / tally.pairs
    print(f"\n{tally.graphs} graphs, {tally.pairs} pairs, {tally.unsound} unsound, {share:.1%} exact")
    assert tally.unsound == 0
    assert share >= 0.85


def test_some_random_graphs() -> None:
    check(run(range(10_000, 10_080)))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 400, 100))
def test_random_graphs(start: int) -> None:
    """`tools/fuzz --graphs 10000` tries as many as one likes."""
    check(run(range(start, start + 100)))


@pytest.mark.parametrize("breakage", [b for b in BREAKAGES if b.__name__ in QUICKLY_FOUND], ids=lambda b: b.__name__)
def test_a_gross_breakage_is_found_at_once(breakage: Callable) -> None:
    with breakage():
        assert first_unsound(range(100)) is not None


@pytest.mark.slow
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda b: b.__name__)
def test_every_broken_rule_is_found(breakage: Callable) -> None:
    first = FIRST_TRIED.get(breakage.__name__, 0)
    with breakage():
        found = first_unsound(range(first, 2_000))
    assert found is not None
    print(f"\n{breakage.__name__}: found in graph {first + found}")
