"""Rows that can be run together where no row may pass the capacity, whatever it is filled up with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from archspec.engines.step_cache import StepCache
from archspec.model.runner import Array
from archspec.record import record


@record(eq=False)
class RowGroup:
    """Rows that are run together.

    `rows` bool [rows] says which, `counts` int64 [rows] how many new positions each has, 0 for the others, and `new`
    is the largest of these. `capacity` is that of the buffers.
    """

    rows: Array
    counts: Array
    new: int
    capacity: int

    @contextmanager
    def others_kept(self, cache: StepCache, axes: Mapping[str, int | None]) -> Iterator[None]:
        """Keep the entries of other rows: what fills them up would not fit behind them, and is written over them.

        `axes` are the axes of rows by name of the state.
        """
        past = cache.past
        over = past + self.new > self.capacity
        if not over.any():
            yield
            return
        kept = {name: buffer.array for name, buffer in cache.whole.items()}
        places = {name: (slice(None),) * (axes[name] or 0) + (over,) for name in kept if axes[name] is not None}
        saved = {name: kept[name][place].copy() for name, place in places.items()}
        # They stand at the beginning meanwhile, where everything fits.
        cache.past = np.where(over, 0, past)
        yield
        for name, place in places.items():
            kept[name][place] = saved[name]
        cache.past = past + self.counts


def groups(past: Array, counts: Array, capacity: int) -> Iterator[RowGroup]:
    """Yield groups of rows whose new positions fit, with as many as the longest of a group has.

    Args:
        past: int64 [rows], the number of positions that each row has had.
        counts: int64 [rows], how many new ones it has; with the past ones at most the capacity.
        capacity: how many entries a row has.

    Raises:
        ValueError: if no row has new positions, or a row has more than fit.
    """
    left = counts > 0
    if not left.any():
        raise ValueError("no row has new positions")
    while left.any():
        new = int(counts[left].max())
        rows = left & (past + new <= capacity)
        # The longest fits by itself, so that every turn leaves fewer.
        if not rows.any():
            raise ValueError(f"{new} new positions do not fit into a capacity of {capacity}")
        own = np.where(rows, counts, 0)
        yield RowGroup(rows=rows, counts=own, new=int(own.max()), capacity=capacity)
        left &= ~rows
