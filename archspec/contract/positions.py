"""Positions of a tensor along the axes that a rule is about, and the selection that is tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# The largest number of positions that are tried.
_MOST = 48


def places(shape: Sequence[int], axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Indices along some axes of a shape, in row-major order, of the positions that `chosen` selects."""
    sizes = tuple(shape[axis] for axis in axes)
    for index in chosen(int(np.prod(sizes))):
        yield tuple(int(place) for place in np.unravel_index(index, sizes)) if sizes else ()


def chosen(count: int) -> list[int]:
    """Numbers of the positions to try: all, or `_MOST` evenly spaced ones with both ends if there are more."""
    return list(range(count)) if count <= _MOST else sorted({round(x) for x in np.linspace(0, count - 1, _MOST)})
