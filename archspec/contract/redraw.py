"""Other values at chosen positions of an input, such that its promises still hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.ir.types import DType
from archspec.model.runner import Array
from archspec.model.samples import bounds, draw, patterns
from archspec.spec import InputSpec
from archspec.spec.claims import Claims

_TRIES = 16


def redraw(
    claims: Claims,
    given: InputSpec,
    array: Array,
    at: Array,
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> Array | None:
    """The array with other values where `at` is true; None where the promises leave no other values.

    `at` is bool over the first axes of the array.
    """
    where = np.broadcast_to(at.reshape(at.shape + (1,) * (array.ndim - at.ndim)), array.shape)
    if given.type.dtype is DType.FLOAT:
        # Far values too: an additive mask that is not infinite fails only there.
        noise = generator.standard_normal(array.shape, dtype=np.float32) * generator.choice([1.0, 8.0])
        return np.where(where, array + noise, array).astype(array.dtype)
    if given.sorted or given.padding != "any":
        return _promised(claims, given, array, where, sizes, generator)
    if given.type.dtype is DType.BOOL:
        return np.where(where, ~array, array)
    low, high = bounds(claims, given, sizes)
    if high - low < 2:
        return None
    steps = generator.integers(1, high - low, array.shape)
    return np.where(where, low + (array - low + steps) % (high - low), array).astype(array.dtype)


def _promised(
    claims: Claims,
    given: InputSpec,
    array: Array,
    where: Array,
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> Array | None:
    known = patterns(claims)
    for attempt in range(_TRIES):
        other = draw(claims, given, sizes, known[attempt % len(known)], generator)
        made = np.where(where, other, array)
        if keeps(given, made) and not np.array_equal(made, array):
            return made
    return None


def keeps(given: InputSpec, array: Array) -> bool:
    """Whether an array keeps what is promised of an input's padding and order."""
    if given.sorted and bool((array[..., 1:] < array[..., :-1]).any()):
        return False
    if given.padding == "any":
        return True
    forward = array if given.padding == "right" else array[..., ::-1]
    rises = np.diff(forward.astype(np.int8), axis=-1) > 0
    return not rises.any() and bool(forward[..., 0].all())
