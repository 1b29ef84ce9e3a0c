"""The fuzz is strong enough to find planted faults: each within twenty files, and old ones within 500."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import check
from tests.yaml_fuzz.faults import (
    OLD,
    QUICK,
    Fault,
    count_unread,
    erasure_lost,
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
FOUND = {
    guard_offset_lost: 3,
    shift_off_by_one: 6,
    wanted_joined: 3,
    erasure_lost: 7,
    mask_lost: 17,
    count_unread: 18,
    wanted_over_the_cap: 17,
    inner_source_carried: 25,
    literals_fixed: 37,
    wanted_normalised: 67,
    split_controls_unread: 70,
}
"""The number of the first file that finds a fault."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "files"),
    [*((fault, 20) for fault in QUICK), *((fault, 500) for fault in OLD)],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_fault_is_found(fault: Fault, files: int) -> None:
    number = FOUND[fault]
    assert number < files
    if fault is mask_lost:
        # The fault is one of the module, which is observed under it.
        with fault():
            assert any(one.found == "unsound" for one in judge(SEED, number).answers)
    else:
        assert finds(fault, SEED, number)


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
