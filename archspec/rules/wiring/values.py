"""Random arrays of replays: parameters, and other values in place of some."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, cast

from archspec.ir.graph import Parameter
from archspec.rules.wiring.repeated import RepeatedRows

if TYPE_CHECKING:
    from archspec.ir.op import Array

MOST_KEPT = 10_000
"""Elements of an array that is kept for other runs."""
_POOL = 262_147
"""Numbers that are drawn. It is a prime, so that the rows of a matrix of any width start at different numbers."""
_ROWS = 1021
"""Rows of a matrix before they repeat: a prime, too, so that no two halves of a matrix are alike."""
_LONGEST = 1 << 22
"""Numbers of a stretch that is kept; a larger array is written anew each time."""


def filled(parameter: Parameter, name: str, trial: int) -> Array:
    """Random parameter values, scaled so that activations keep about their size. They are read and never written.

    To draw or even to write each number of large weights would take most of a run: they are stretches of one pool, from
    a place that the name and the trial decide.
    """
    import numpy as np

    shape, init = tuple(size.value({}) for size in parameter.type.shape), parameter.init
    start = random.Random(f"{name} {trial}").randrange(_POOL)
    if len(shape) == 2 and shape[0] > _ROWS:
        return cast("Array", RepeatedRows(block=_scaled(start, (_ROWS, shape[1])), count=shape[0]))
    if len(shape) > 1:
        return _scaled(start, shape)
    values = 0.3 * _numbers(start, prod(shape), 1.0).reshape(shape) + (init.value if init.kind == "constant" else 0.0)
    # A buffer may be a running variance, which must be positive.
    return np.asarray(np.abs(values) + 0.1 if parameter.buffer else values)


def _scaled(start: int, shape: Sequence[int]) -> Array:
    """Weights, over the root of the number of inputs of a unit, as initialisations scale."""
    return _numbers(start, prod(shape), max(1.0, prod(shape[1:]) ** 0.5)).reshape(shape)


def _numbers(start: int, count: int, divisor: float) -> Array:
    """Normal numbers from a place of the pool on, over a divisor."""
    import numpy as np

    if count > _LONGEST:
        return np.resize(_stretch(_POOL, divisor)[start : start + _POOL], count)
    return _stretch(max(1 << 14, 1 << (count - 1).bit_length()) if count else 1, divisor)[start : start + count]


@lru_cache(maxsize=8)
def _stretch(longest: int, divisor: float) -> Array:
    """The pool over a divisor, and then again from its start, so that so many numbers may be taken from any place."""
    import numpy as np

    stretch = np.resize(_pool() / divisor, _POOL + longest)
    # What is taken from it shares its memory.
    stretch.setflags(write=False)
    return stretch


@lru_cache(maxsize=1)
def _pool() -> Array:
    import numpy as np

    return np.random.default_rng(0).normal(size=_POOL)


def nudged(values: Array, trial: int, most: int | None) -> Array:
    """Different values in place of some, of the same dtype; integers at most `most`, which an index may need."""
    import numpy as np

    r = np.random.default_rng(trial)
    if values.dtype == bool:
        return ~values
    if values.dtype.kind == "f":
        return np.asarray(values + r.normal(size=values.shape))
    if trial == 0:
        moved = np.where(values > 0, values - 1, values + 1)
    else:
        # One more, then one less, two less: what an index or a comparison needs differs.
        moved = values + 1 if trial == 1 else np.maximum(values + 1 - trial, 0)
    return np.asarray(moved if most is None else np.minimum(moved, most))


def keeps(array: Array, padding: str, ordered: bool) -> bool:
    """Whether an array keeps the promise of its padding or order."""
    import numpy as np

    if ordered:
        return bool((np.diff(array, axis=-1) >= 0).all())
    if padding == "any":
        return True
    row = array if padding == "right" else array[..., ::-1]
    return bool(row[..., 0].all() and (row[..., 1:] <= row[..., :-1]).all())
