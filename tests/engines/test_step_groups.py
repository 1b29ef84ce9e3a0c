"""Rows that are run together never pass the capacity, and every row is run once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archspec.engines.step_groups import RowGroup, groups


def test_every_row_is_run_once_and_fits() -> None:
    generator = np.random.default_rng(0)
    for _ in range(500):
        capacity, rows = int(generator.integers(1, 12)), int(generator.integers(1, 6))
        past = generator.integers(0, capacity + 1, rows)
        past[0] = min(past[0], capacity - 1)
        counts = np.minimum(generator.integers(0, 5, rows), capacity - past)
        counts[0] = max(counts[0], 1)
        found = list(groups(past, counts, capacity))
        np.testing.assert_array_equal(sum((one.counts for one in found), np.zeros(rows, np.int64)), counts)
        for one in found:
            assert one.new == one.counts.max() > 0
            assert (past[one.rows] + one.new <= capacity).all()
            assert not one.counts[~one.rows].any()


def test_rows_that_fit_are_one_group() -> None:
    (found,) = groups(np.array([0, 5, 2]), np.array([3, 0, 1]), 8)
    assert found.new == 3


def test_more_than_the_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="4 new positions do not fit into a capacity of 8"):
        list(groups(np.array([5]), np.array([4]), 8))


def test_a_step_of_no_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="no row has new positions"):
        list(groups(np.array([5]), np.array([0]), 8))


def test_other_rows_keep_what_is_written_over() -> None:
    array = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)
    before = array.copy()
    cache: Any = SimpleNamespace(past=np.array([1, 4, 0]), whole={"k": SimpleNamespace(array=array)})
    group = RowGroup(rows=np.array([True, False, True]), counts=np.array([2, 0, 1]), new=2, capacity=4)
    with group.others_kept(cache, {"k": 1}):
        assert list(cache.past) == [1, 0, 0]
        array[:] = -1
    np.testing.assert_array_equal(array[:, 1], before[:, 1])
    assert (array[:, [0, 2]] == -1).all()
    assert list(cache.past) == [3, 4, 1]
