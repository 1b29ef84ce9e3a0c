"""How far an output is from what it should be: the one measure of parity, for modules, artifacts and networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archspec.model.runner import Array
from archspec.record import record

_PART = 1 << 20


@record
class Apart:
    """The largest absolute difference of an output, where it is, and the reference's largest value.

    Of an output that is not float: the share of elements that differ, on a scale of 1.
    """

    place: tuple[int, ...]
    largest: float
    scale: float

    def share(self, least: float = 1.0) -> float:
        """The difference as a share of the reference's largest value or of `least`, whichever is more."""
        return self.largest / max(least, self.scale)


def difference(found: Array, wanted: Array, counted: Array | None = None) -> Apart:
    """Compare an output with its reference, in float64.

    A value that is not finite equals nothing, itself included: wherever one stands on either side, the two are
    infinitely far apart. Outputs of different shapes are too.

    Args:
        found: the output.
        wanted: the reference, of the same shape.
        counted: bool, of the same shape: positions that count. Left out, all do.
    """
    if found.shape != wanted.shape:
        return Apart(place=(), largest=float("inf"), scale=0.0)
    if found.dtype.kind != "f":
        return _share_that_differs(found, wanted, counted)
    index, largest, scale = 0, 0.0, 0.0
    for start, one, other, counts in _parts(found, wanted, counted):
        with np.errstate(invalid="ignore"):
            apart = np.abs(one - other)
        apart[~np.isfinite(apart)] = np.inf
        apart[~counts] = 0.0
        first = int(apart.argmax())
        if apart[first] > largest:
            index, largest = start + first, float(apart[first])
        scale = max(scale, float(np.max(np.abs(other), initial=0.0, where=counts & np.isfinite(other))))
    return Apart(place=_place(index, found.shape), largest=largest, scale=scale)


def _share_that_differs(found: Array, wanted: Array, counted: Array | None) -> Apart:
    differs = found != wanted
    if counted is not None:
        differs = differs & counted
    index = int(differs.reshape(-1).argmax()) if differs.any() else 0
    share = float(np.mean(differs)) if differs.size else 0.0
    return Apart(place=_place(index, found.shape), largest=share, scale=1.0)


def _place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(one) for one in np.unravel_index(index, shape)) if 0 not in shape else ()


def _parts(found: Array, wanted: Array, counted: Array | None) -> Iterator[tuple[int, Array, Array, Array]]:
    """Some elements at a time, in float64: logits of a large vocabulary are larger than the model."""
    flat, other = found.reshape(-1), wanted.reshape(-1)
    counts = None if counted is None else counted.reshape(-1)
    for start in range(0, flat.size, _PART):
        part = slice(start, start + _PART)
        one, two = flat[part].astype(np.float64), other[part].astype(np.float64)
        yield start, one, two, np.ones(one.shape, dtype=bool) if counts is None else counts[part]
