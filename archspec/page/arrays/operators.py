"""Operators between arrays and numbers, which broadcast."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import repeat
from math import copysign, inf, isinf, isnan, nan, prod
from typing import Any

from archspec.page.arrays.array import asarray, ndarray
from archspec.page.arrays.kinds import converted, wider
from archspec.page.arrays.layout import Shape, spread, together


def combined(function: Callable[[Any, Any], Any], left: Any, right: Any, kind: str | None = None) -> ndarray:
    """A function of the numbers of two arrays, broadcast together."""
    a, b = asarray(left), asarray(right)
    kind = kind or wider(a.kind, b.kind)
    shape = a.shape if a.shape == b.shape else together(a.shape, b.shape)
    first, second = _spread(a, shape), _spread(b, shape)
    return ndarray(list(map(function, first, second)), shape, kind)


def computed(function: Callable[[Any, Any], Any], left: Any, right: Any) -> ndarray:
    """What an operator of arithmetic gives, which is another one between bools. Raises TypeError where it has none."""
    a, b = asarray(left), asarray(right)
    return combined(_on_bools(function) if a.kind == b.kind == "b" else function, a, b)


def _spread(array: ndarray, shape: Shape) -> Iterable[Any]:
    """The numbers of an array broadcast to a shape; a lone number is not written out."""
    if not array.shape:
        return repeat(array.data[0], prod(shape))
    return spread(array.data, array.shape, shape)


def powered(left: Any, right: Any) -> ndarray:
    """Powers; those by a whole number need no care, unless they are too large."""
    if type(right) is int and right >= 0:
        with suppress(OverflowError):
            return computed(operator.pow, left, right)
    return computed(power, left, right)


def divided(left: Any, right: Any) -> ndarray:
    """Quotients, infinite or not a number where the divisor is zero."""
    try:
        return combined(operator.truediv, left, right, "f")
    except ZeroDivisionError:
        return combined(quotient, left, right, "f")


def quotient(x: Any, y: Any) -> Any:
    """x / y, infinite or not a number where y is zero."""
    try:
        return x / y
    except ZeroDivisionError:
        return nan if x == 0 or isnan(x) else copysign(inf, x) * copysign(1.0, y)


def power(x: Any, y: Any) -> Any:
    """x to the power of y; infinite or not a number where Python raises. Raises ValueError as NumPy for integers."""
    if type(y) is not float and type(x) is not float and y < 0:
        raise ValueError("integers to negative integer powers are not allowed")
    try:
        found = x**y
    except (ZeroDivisionError, OverflowError):
        return copysign(inf, x) if y % 2 == 1 else inf
    return nan if isinstance(found, complex) else found


def remainder(x: Any, y: Any) -> Any:
    """x modulo y; 0 of an integer and not a number of a float where y is zero."""
    if not y:
        return nan if type(x) is float or type(y) is float else 0
    if type(x) is float and isinf(x):
        return nan
    return x % y


def whole_quotient(x: Any, y: Any) -> Any:
    """The largest whole number that is not above x / y; 0 of an integer, else as `quotient`, where y is zero."""
    if not y:
        return quotient(x, y) if type(x) is float or type(y) is float else 0
    if type(x) is float and isinf(x):
        return nan
    return x // y


def _on_bools(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def refused(x: Any, y: Any) -> Any:
        raise TypeError(f"{function.__name__} is not defined between bools")

    return _BOOLS.get(function, refused)


_BOOLS: dict[Callable[[Any, Any], Any], Callable[[Any, Any], Any]] = {
    operator.add: operator.or_,
    operator.mul: operator.and_,
    **{one: one for one in (operator.and_, operator.or_, operator.xor)},
}
"""What operators do between two bools."""


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": whole_quotient,
    "mod": remainder,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
_COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


def _method(change: Callable[[Any, Any], ndarray]) -> Callable[[ndarray, Any], ndarray]:
    """A function of two arrays as a method, which a partial one is not by itself."""
    return lambda self, other: change(self, other)


def _define() -> None:
    """Give the class its operators, in place ones too, which write into the same list as NumPy's do."""

    def inside(change: Callable[[Any, Any], ndarray]) -> Callable[[ndarray, Any], ndarray]:
        def written(self: ndarray, other: Any) -> ndarray:
            found = change(self, other)
            if wider(found.kind, self.kind) != self.kind:
                raise TypeError(f"{found.dtype} is not written into {self.dtype}")
            self.replace(converted(spread(found.data, found.shape, self.shape), found.kind, self.kind))
            return self

        return written

    def both(name: str, change: Callable[[Any, Any], ndarray]) -> None:
        setattr(ndarray, f"__{name}__", _method(change))
        setattr(ndarray, f"__r{name}__", lambda self, other: change(other, self))
        setattr(ndarray, f"__i{name}__", inside(change))

    for name, function in _ARITHMETIC.items():
        both(name, partial(computed, function))
    both("truediv", divided)
    both("pow", powered)
    for name, function in _COMPARISONS.items():
        setattr(ndarray, f"__{name}__", _method(partial(combined, function, kind="b")))


_define()
