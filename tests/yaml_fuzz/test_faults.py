"""The fuzz is strong enough to find planted faults: each within twenty files, and old ones within 500."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import check
from tests.yaml_fuzz.faults import (
    Fault,
    count_unread,
    guard_offset_lost,
    inner_source_carried,
    literals_fixed,
    mask_lost,
    shift_off_by_one,
    split_controls_unread,
    wanted_joined,
    wanted_normalised,
    wanted_over_the_cap,
)
from tests.yaml_fuzz.judging import judge
from tests.yaml_fuzz.planted import finds

SEED = 0
CASES = Path(__file__).resolve().parent.parent / "cases"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        (shift_off_by_one, range(4, 8)),
        (wanted_joined, range(10, 14)),
        (inner_source_carried, range(10, 14)),
        (count_unread, range(16, 20)),
        (guard_offset_lost, range(40, 43)),
        (split_controls_unread, range(69, 72)),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_fault_of_the_prover_is_found(fault: Fault, numbers: range) -> None:
    assert any(finds(fault, SEED, number) for number in numbers)


@pytest.mark.slow
def test_a_lost_mask_is_found() -> None:
    with mask_lost():
        assert any(one.found == "unsound" for one in judge(SEED, 13).answers)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (inner_source_carried, "inner-source"),
        (literals_fixed, "ignores-its-own-mask"),
        (wanted_normalised, "within-two-ends"),
        (wanted_over_the_cap, "within-many-atoms"),
        (split_controls_unread, "segments-split"),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_an_old_fault_proves_its_case(fault: Fault, name: str) -> None:
    assert check(CASES / f"{name}.yaml").verdicts[0].status == "violated"
    with fault():
        assert check(CASES / f"{name}.yaml").verdicts[0].status == "proved"
