"""Random numbers: other ones than NumPy's, and the same for the same seed."""

from __future__ import annotations

import random
from functools import cache
from math import prod
from typing import Any

from archspec.page.arrays.array import ndarray

_COUNT = 65_537


@cache
def _pool() -> list[float]:
    """Normal numbers, drawn once: to draw each anew would take most of a run."""
    source = random.Random(0)
    return [source.gauss(0.0, 1.0) for _ in range(_COUNT)]


class Generator:
    """Draws from one seed."""

    def __init__(self, seed: Any) -> None:
        self._plain = random.Random(str(seed))

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = ()) -> ndarray:
        """Normal numbers; each draw takes a stretch of the pool, from a random place on."""
        shape = (size,) if isinstance(size, int) else tuple(size)
        start, count = self._plain.randrange(_COUNT), prod(shape)
        pool = _pool()
        data = (pool[start:] + pool * (count // _COUNT + 1))[:count]
        if (loc, scale) != (0.0, 1.0):
            data = [loc + scale * x for x in data]
        return ndarray(data, shape, "f")

    def random(self) -> float:
        """A number between 0 and 1."""
        return self._plain.random()


def default_rng(seed: Any) -> Generator:
    """A generator of the seed: an integer or several."""
    return Generator(seed)
