"""Operators between arrays and numbers, which broadcast."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import repeat
from math import copysign, inf, isnan, nan, prod
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


def _spread(array: ndarray, shape: Shape) -> Iterable[Any]:
    """The numbers of an array broadcast to a shape; a lone number is not written out."""
    if not array.shape:
        return repeat(array.data[0], prod(shape))
    return spread(array.data, array.shape, shape)


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
    """x to the power of y; infinite or not a number where Python raises."""
    try:
        found = x**y
    except ZeroDivisionError:
        return inf
    except OverflowError:
        return inf
    return nan if isinstance(found, complex) else found


def _remainder(x: Any, y: Any) -> Any:
    return x % y if y else 0


def _whole_quotient(x: Any, y: Any) -> Any:
    return x // y if y else 0


_ARITHMETIC: dict[str, tuple[Callable[[Any, Any], Any], str | None]] = {
    "add": (operator.add, None),
    "sub": (operator.sub, None),
    "mul": (operator.mul, None),
    "floordiv": (_whole_quotient, None),
    "mod": (_remainder, None),
    "pow": (power, None),
    "and": (operator.and_, None),
    "or": (operator.or_, None),
    "xor": (operator.xor, None),
}
_COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


def _define() -> None:
    """Give the class its operators, in place ones too, which write into the same list as NumPy's do."""

    def plain(function: Callable[[Any, Any], Any], kind: str | None) -> Callable[[Any, Any], ndarray]:
        return lambda self, other: combined(function, self, other, kind)

    def turned(function: Callable[[Any, Any], Any], kind: str | None) -> Callable[[Any, Any], ndarray]:
        return lambda self, other: combined(function, other, self, kind)

    def inside(function: Callable[[Any, Any], Any]) -> Callable[[ndarray, Any], ndarray]:
        def change(self: ndarray, other: Any) -> ndarray:
            found = combined(function, self, other)
            self.data[:] = converted(spread(found.data, found.shape, self.shape), found.kind, self.kind)
            return self

        return change

    for name, (function, kind) in _ARITHMETIC.items():
        setattr(ndarray, f"__{name}__", plain(function, kind))
        setattr(ndarray, f"__r{name}__", turned(function, kind))
        setattr(ndarray, f"__i{name}__", inside(function))
    quotients = {"truediv": divided, "rtruediv": lambda self, other: divided(other, self), "itruediv": inside(quotient)}
    for name, operation in quotients.items():
        setattr(ndarray, f"__{name}__", operation)
    for name, function in _COMPARISONS.items():
        setattr(ndarray, f"__{name}__", plain(function, "b"))


_define()
