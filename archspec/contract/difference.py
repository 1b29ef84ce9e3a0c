"""The difference between an output and its reference: the measure of parity for modules, artifacts and networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archspec.model.runner import Array
from archspec.record import record

# Elements that are compared at a time.
_PART = 1 << 20


@record
class Apart:
    """The largest absolute difference of an output, its index, and the reference's largest absolute value.

    For an output that is not float, `largest` is the share of elements that differ, `place` the first of them, and
    `scale` is 1.
    """

    place: tuple[int, ...]
    largest: float
    scale: float

    def share(self, least: float = 1.0) -> float:
        """The difference relative to the reference's largest absolute value, or to `least` if that is larger."""
        return self.largest / max(least, self.scale)


def difference(found: Array, wanted: Array, counted: Array | None = None) -> Apart:
    """Compare an output with its reference, in float64.

    A value that is not finite equals nothing, not even itself: if either side has one at a counted position, the
    difference is infinite. It is infinite, too, if the shapes differ.

    Args:
        found: the output.
        wanted: the reference.
        counted: bool, of the same shape: the positions that count. If None, all do.
    """
    if found.shape != wanted.shape:
        return Apart(place=(), largest=float("inf"), scale=0.0)
    if found.dtype.kind != "f":
        return _share_that_differs(found, wanted, counted)
    index, largest, scale = 0, 0.0, 0.0
    for start, one, other, counts in _parts(found, wanted, counted):
        # The difference of two infinities is NaN, which counts as infinitely far below.
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
    """The share of all elements that differ at a counted position, for outputs that are not float."""
    differs = found != wanted
    if counted is not None:
        differs = differs & counted
    index = int(differs.reshape(-1).argmax()) if differs.any() else 0
    share = float(np.mean(differs)) if differs.size else 0.0
    return Apart(place=_place(index, found.shape), largest=share, scale=1.0)


def _place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(one) for one in np.unravel_index(index, shape)) if 0 not in shape else ()


def _parts(found: Array, wanted: Array, counted: Array | None) -> Iterator[tuple[int, Array, Array, Array]]:
    """Parts of both outputs in float64, with their offset and counted positions.

    In parts, because float64 copies of logits over a large vocabulary may need more memory than the model.
    """
    flat, other = found.reshape(-1), wanted.reshape(-1)
    counts = None if counted is None else counted.reshape(-1)
    for start in range(0, flat.size, _PART):
        part = slice(start, start + _PART)
        one, two = flat[part].astype(np.float64), other[part].astype(np.float64)
        yield start, one, two, np.ones(one.shape, dtype=bool) if counts is None else counts[part]
