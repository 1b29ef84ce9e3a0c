"""Draws other values at chosen positions of an input, so that the promises of the input still hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.ir.types import DType
from archspec.model.runner import Array
from archspec.model.samples import bounds, draw, patterns
from archspec.spec import InputSpec
from archspec.spec.claims import Claims

# Draws of an input with promises about padding or order before it counts as having no other values.
_TRIES = 16


def redraw(
    claims: Claims,
    given: InputSpec,
    array: Array,
    at: Array,
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> Array | None:
    """The array with other values where `at` is true.

    Args:
        claims: the claims that the input belongs to.
        given: the input's declaration.
        array: its current value, which is left unchanged.
        at: bool over the leading axes of the array.
        sizes: the size of each dim.
        generator: source of the new values.

    Returns:
        a new array; None if no other values keep the promises, or if none were found among `_TRIES` draws of an input
        with promises about padding or order.
    """
    where = np.broadcast_to(at.reshape(at.shape + (1,) * (array.ndim - at.ndim)), array.shape)
    if given.type.dtype is DType.FLOAT:
        # Large changes too, because a finite additive mask fails only for large values.
        noise = generator.standard_normal(array.shape, dtype=np.float32) * generator.choice([1.0, 8.0])
        return np.where(where, array + noise, array).astype(array.dtype)
    if given.sorted or given.padding != "any":
        return _promised(claims, given, array, where, sizes, generator)
    if given.type.dtype is DType.BOOL:
        return np.where(where, ~array, array)
    low, high = bounds(claims, given, sizes)
    # A single value leaves no other one to draw.
    if high - low < 2:
        return None
    # Cyclic steps of 1 up to the number of values less 1 never lead back to the old value.
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
    """Draw whole inputs that keep the promises, until one also keeps them with values outside `where` unchanged."""
    known = patterns(claims)
    for attempt in range(_TRIES):
        # Pattern by pattern, since some may never keep the promise around the fixed values.
        other = draw(claims, given, sizes, known[attempt % len(known)], generator)
        made = np.where(where, other, array)
        if keeps(given, made) and not np.array_equal(made, array):
            return made
    return None


def keeps(given: InputSpec, array: Array) -> bool:
    """Whether an array keeps what the input promises about padding and order along its last axis."""
    if given.sorted and bool((array[..., 1:] < array[..., :-1]).any()):
        return False
    if given.padding == "any":
        return True
    # Padding on the left is padding on the right, read backwards.
    forward = array if given.padding == "right" else array[..., ::-1]
    # Of booleans `np.diff` gives only where they differ, without the direction.
    rises = np.diff(forward.astype(np.int8), axis=-1) > 0
    return not rises.any() and bool(forward[..., 0].all())
