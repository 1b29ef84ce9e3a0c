"""The fuzz is strong enough to find planted faults."""

from __future__ import annotations

import pytest

from tests.yaml_fuzz.faults import OLD, QUICK, Fault
from tests.yaml_fuzz.judging import judge

SEED = 0
WINDOW = 20
FIRST: dict[str, int] = {}
"""Where a window of files begins in which a fault is found; file 0 where nothing is said."""


def found(fault: Fault, numbers: range) -> int | None:
    """The first file in which something is unsound under a fault."""
    with fault():
        return next((n for n in numbers if any(one.found == "unsound" for one in judge(SEED, n).answers)), None)


@pytest.mark.slow
@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_in_twenty_files(fault: Fault) -> None:
    start = FIRST.get(fault.__name__, 0)
    assert found(fault, range(start, start + WINDOW)) is not None


@pytest.mark.slow
@pytest.mark.parametrize("fault", OLD, ids=lambda fault: fault.__name__)
def test_an_old_fault_is_found_in_five_hundred_files(fault: Fault) -> None:
    start = FIRST.get(fault.__name__, 0)
    assert found(fault, range(start, start + WINDOW)) is not None
