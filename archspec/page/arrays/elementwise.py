"""NumPy's functions of each number by itself, for arrays in lists."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from math import inf, nan
from typing import Any

from archspec.page.arrays.array import asarray, ndarray
from archspec.page.arrays.kinds import converted, wider
from archspec.page.arrays.layout import spread, together
from archspec.page.arrays.operators import combined, computed, remainder, whole_quotient

Function = Callable[[Any], Any]


def where(holds: Any, yes: Any, no: Any) -> ndarray:
    """The one where a condition holds, the other elsewhere."""
    test, a, b = asarray(holds), asarray(yes), asarray(no)
    wanted = together(test.shape, a.shape, b.shape)
    tests, first, second = (spread(one.data, one.shape, wanted) for one in (test, a, b))
    found = [x if t else y for t, x, y in zip(tests, first, second, strict=True)]
    kind = wider(a.kind, b.kind)
    return ndarray(found if a.kind == b.kind else converted(found, "", kind), wanted, kind)


def clip(x: Any, least: Any, most: Any) -> ndarray:
    """Numbers within bounds."""
    found = asarray(x)
    found = found if least is None else maximum(found, least)
    return found if most is None else minimum(found, most)


def _larger(x: Any, y: Any) -> Any:
    return x if x >= y or x != x else y


def _smaller(x: Any, y: Any) -> Any:
    return x if x <= y or x != x else y


def maximum(x: Any, y: Any) -> ndarray:
    """The larger of two numbers."""
    return combined(_larger, x, y)


def minimum(x: Any, y: Any) -> ndarray:
    """The smaller of two numbers."""
    return combined(_smaller, x, y)


def equal(x: Any, y: Any) -> ndarray:
    """Whether two numbers are equal."""
    return combined(operator.eq, x, y, "b")


def divmod_of(x: Any, y: Any) -> tuple[ndarray, ndarray]:
    """Whole quotients and remainders."""
    return computed(whole_quotient, x, y), computed(remainder, x, y)


def logaddexp(x: Any, y: Any) -> ndarray:
    """The logarithm of the sum of two exponentials."""

    def one(a: float, b: float) -> float:
        top = nan if a != a or b != b else max(a, b)
        return top if math.isinf(top) else top + math.log1p(math.exp(-abs(a - b)))

    return combined(one, _not_bools(x), _not_bools(y), "f")


def logical_and(x: Any, y: Any) -> ndarray:
    """Whether both are true."""
    return combined(lambda a, b: bool(a and b), x, y, "b")


def logical_or(x: Any, y: Any) -> ndarray:
    """Whether one is true."""
    return combined(lambda a, b: bool(a or b), x, y, "b")


def logical_not(x: Any) -> ndarray:
    """Whether it is false."""
    return asarray(x).map(operator.not_, "b")


def _not_bools(x: Any) -> ndarray:
    """Numbers. Raises TypeError for bools, of which NumPy gives a function in half precision."""
    found = asarray(x)
    if found.kind == "b":
        raise TypeError("bools are no arguments of this function here")
    return found


def _guarded(function: Function, beyond: float) -> Function:
    """A function with a value where it raises for being too large or undefined."""

    def guarded(x: float) -> float:
        try:
            return float(function(x))
        except OverflowError:
            return beyond
        except ValueError:
            return nan

    return guarded


def _by_each(function: Function, beyond: float = inf) -> Callable[[Any], ndarray]:
    safe = _guarded(function, beyond)

    def apply(x: Any) -> ndarray:
        given = _not_bools(x)
        try:
            return given.map(function, "f")
        except (OverflowError, ValueError):
            return given.map(safe, "f")

    return apply


def _log(x: float) -> float:
    return math.log(x) if x else -inf


exp, sin, cos, tanh, sqrt = (_by_each(one) for one in (math.exp, math.sin, math.cos, math.tanh, math.sqrt))
log = _by_each(_log)
log1p = _by_each(lambda x: math.log1p(x) if x != -1 else -inf)


def floor(x: Any) -> ndarray:
    """The largest whole number that is not larger."""
    given = asarray(x)
    return (
        given.map(lambda one: float(math.floor(one)) if one and math.isfinite(one) else one)
        if given.kind == "f"
        else given
    )


def isfinite(x: Any) -> ndarray:
    """Whether numbers are neither infinite nor undefined."""
    return asarray(x).map(math.isfinite, "b")


def isnan(x: Any) -> ndarray:
    """Whether numbers are undefined."""
    return asarray(x).map(math.isnan, "b")


def abs_of(x: Any) -> ndarray:
    """Numbers without their sign."""
    return asarray(x).map(operator.abs)
