"""What counts as a difference between an output and its reference."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.contract import difference as measuring
from archspec.contract.difference import difference

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("found", "wanted", "counted", "share"),
    [
        ([1.0, 4.5], [1.0, 4.0], [True, True], 0.125),
        ([1.0, 4.5], [1.0, 4.0], [True, False], 0.0),
        ([1.5, INF], [1.0, INF], [True, False], 0.5),
        ([1.5, 9e9], [1.0, 9e9], [True, False], 0.5),
        ([1.0, NAN], [1.0, NAN], [True, False], 0.0),
        ([1.0, NAN], [1.0, NAN], [True, True], INF),
        ([-INF, 1.0], [-INF, 1.0], [True, True], INF),
        ([INF, 1.0], [-INF, 1.0], [True, True], INF),
        ([1.0, 1.0], [NAN, 1.0], [True, True], INF),
        ([1.0, INF], [1.0, 1.0], [True, True], INF),
        ([0.01, 0.0], [0.0, 0.0], [True, True], 1.0),
        ([False, True, True, True], [True, True, True, True], [True] * 4, 0.25),
        ([False, True, True, True], [True, True, True, True], [False] + [True] * 3, 0.0),
        ([1, 2, 3, 4], [1, 2, 3, 5], [True] * 4, 0.25),
        ([1.0], [1.0, 1.0], [True], INF),
        ([], [], [], 0.0),
    ],
)
def test_what_counts(found: list[float], wanted: list[float], counted: list[bool], share: float) -> None:
    """What stands at padding neither counts nor makes the rest small; the least scale here is 0.01."""
    apart = difference(np.array(found), np.array(wanted), np.array(counted, dtype=bool))
    assert apart.share(0.01) == pytest.approx(share)


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3)])
def test_the_place_is_that_of_the_largest_difference_over_all_parts(
    place: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_PART", 5)
    wanted = np.random.default_rng(0).standard_normal((3, 4))
    found = wanted + 1e-3
    found[place] += 1
    apart = difference(found, wanted)
    assert apart.place == place
    assert apart.largest == pytest.approx(1.001)
    assert apart.scale == pytest.approx(np.abs(wanted).max())
