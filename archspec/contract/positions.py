"""The positions of a tensor: what rules number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_MOST = 48


def places(shape: Sequence[int], axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Positions along some axes in order; some of them, both ends among them, where they are many."""
    sizes = tuple(shape[axis] for axis in axes)
    for index in chosen(int(np.prod(sizes))):
        yield tuple(int(place) for place in np.unravel_index(index, sizes)) if sizes else ()


def chosen(count: int) -> list[int]:
    """Which of so many positions are tried."""
    return list(range(count)) if count <= _MOST else sorted({round(x) for x in np.linspace(0, count - 1, _MOST)})
