"""The fuzz is strong enough to find planted faults: each within twenty files, and old ones within 500."""

from __future__ import annotations

import pytest

from tests.yaml_fuzz.faults import (
    Fault,
    count_unread,
    guard_offset_lost,
    inner_source_carried,
    mask_lost,
    shift_off_by_one,
    split_controls_unread,
    wanted_joined,
)
from tests.yaml_fuzz.judging import judge
from tests.yaml_fuzz.planted import finds

SEED = 0


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
