"""Random arrays of replays: parameters, and other values in place of some."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING
from zlib import crc32

from archspec.ir.graph import Parameter

if TYPE_CHECKING:
    from archspec.ir.op import Array

MOST_KEPT = 10_000
"""Elements of an array that is kept for other runs."""


def filled(parameter: Parameter, name: str, trial: int) -> Array:
    """Random parameter values, scaled so that activations keep about their size; small ones are remembered."""
    shape, init = tuple(size.value({}) for size in parameter.type.shape), parameter.init
    start = init.value if init.kind == "constant" else 0.0
    # `__wrapped__` is the function without its cache.
    drawn = _drawn if prod(shape) <= MOST_KEPT else _drawn.__wrapped__
    return drawn(shape, name, trial, start, parameter.buffer)


@lru_cache(maxsize=512)
def _drawn(shape: tuple[int, ...], name: str, trial: int, start: float, buffer: bool) -> Array:
    import numpy as np

    r = np.random.default_rng((crc32(name.encode()), trial))
    count = prod(shape)
    # Numbers of a large array repeat: to draw each of them would take long.
    pool = r.normal(size=min(count, 1 << 16) or 1)
    array = np.resize(pool, count + 1)[:count].reshape(shape)
    if len(shape) > 1:
        # By the root of the number of inputs of a unit, as initialisations scale.
        return np.asarray(array / max(1.0, (count / shape[0]) ** 0.5))
    # A buffer may be a running variance, which must be positive.
    return np.abs(start + 0.3 * array) + 0.1 if buffer else start + 0.3 * array


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
