"""What a function depends on, found by changing one element of one operand at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from archspec.ir.types import DType
from tests.ops.case import Case

Function = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]

_TRIALS = 2
_CHANGED = 1e-9


def dependence(
    case: Case, function: Function, operand: int, values: Sequence[np.ndarray], rng: np.random.Generator
) -> list[np.ndarray]:
    """For each output bool [output coordinates ..., operand coordinates ...]: which elements a change reaches.

    Operands that carry data keep their `values`; float ones are drawn anew for each trial.
    """
    size = values[operand].size
    shapes = [case.shape(type_) for type_ in case.outputs]
    found = [np.zeros((int(np.prod(shape)), size), dtype=bool) for shape in shapes]
    for _ in range(_TRIALS):
        base = [
            rng.normal(size=value.shape) if type_.dtype == DType.FLOAT else value
            for value, type_ in zip(values, case.inputs, strict=True)
        ]
        before = function(base)
        for element in range(size):
            for changed in _changes(case, operand, base[operand], element, rng):
                after = function([*base[:operand], changed, *base[operand + 1 :]])
                for seen, old, new in zip(found, before, after, strict=True):
                    seen[:, element] |= _differs(old, new).reshape(-1)
    factors = case.factors(case.inputs[operand])
    return [seen.reshape((*case.factors(type_), *factors)) for seen, type_ in zip(found, case.outputs, strict=True)]


def _changes(
    case: Case, operand: int, value: np.ndarray, element: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    type_ = case.inputs[operand]
    old = value.reshape(-1)[element]
    if type_.dtype == DType.FLOAT:
        news = [old + rng.uniform(4, 8), old - rng.uniform(4, 8)]
    elif type_.dtype == DType.BOOL:
        news = [not old]
    else:
        news = [new for new in range(case.bound(type_)) if new != old]
    for new in news:
        changed = value.copy()
        changed.reshape(-1)[element] = new
        yield changed


def _differs(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    if old.dtype == bool:
        return np.asarray(old != new)
    # The absolute value of the smallest integer is itself.
    old, new = (x.astype(np.float64) for x in (old, new))
    return np.asarray(np.abs(old - new) > _CHANGED * (1 + np.abs(old)))
