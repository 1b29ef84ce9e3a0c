"""Promises about the values of an input: bounds, order, and the side of padding.

Proofs rely on them, and so does the decision whether a mask may leave a row without keys: inputs that break one are
refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.diagnostics import Collector
from archspec.model.ports import Port
from archspec.model.runner import Array


def check_values(port: Port, array: Array, sizes: Mapping[str, int], found: Collector) -> None:
    """Collect the promises that an array of the right form breaks: E718, E719, E720 or E722."""
    _check_finite(port, array, found)
    _check_bound(port, array, sizes, found)
    if port.padding != "any":
        _check_padding(port, array, found)
    if port.sorted:
        _check_sorted(port, array, found)


def _check_finite(port: Port, array: Array, found: Collector) -> None:
    if array.dtype.kind != "f":
        return
    wrong: Array = np.asarray(~np.isfinite(array))
    if wrong.any():
        place = _first(wrong)
        # One such number spreads through products with zero, to positions that must not depend on it.
        notes = ["positions hidden by a mask must be finite too", _count(wrong)]
        message = f"`{port.name}{list(place)}` is {array[place]}, expected a finite number"
        found.error("E722", message, None, notes=notes)


def check_cast(name: str, array: Array, cast: Array, found: Collector) -> None:
    """Collect E722 for finite numbers that overflow the dtype of an artifact."""
    if array.dtype.kind != "f":
        return
    # What was not finite before is reported by `_check_finite`.
    wrong: Array = np.asarray(np.isfinite(array) & ~np.isfinite(cast))
    if wrong.any():
        place = _first(wrong)
        largest = f"{np.finfo(cast.dtype).max:g}"
        message = f"`{name}{list(place)}` is {array[place]}, which overflows {cast.dtype}, whose largest is {largest}"
        found.error("E722", message, None, notes=[_count(wrong)])


def _check_bound(port: Port, array: Array, sizes: Mapping[str, int], found: Collector) -> None:
    if port.type.bound is None:
        return
    bound = port.type.bound.value(sizes)
    wrong = (array < 0) | (array >= bound)
    if wrong.any():
        place = _first(wrong)
        message = f"`{port.name}{list(place)}` is {array[place]}, expected 0 to {bound - 1}"
        found.error("E718", message, None, notes=[_count(wrong)])


def _check_padding(port: Port, array: Array, found: Collector) -> None:
    forward = array if port.padding == "right" else array[..., ::-1]
    # Read from the valid end, a promised row is true values and then only false ones.
    falls = np.diff(forward.astype(np.int8), axis=-1) > 0
    wrong: Array = np.asarray(falls.any(-1) | ~forward[..., :1].any(-1))
    if wrong.any():
        side, other = ("right", "left") if port.padding == "right" else ("left", "right")
        notes = [f"expected one or more true values at the {other}, then only false values", _count(wrong)]
        row = f"row {list(_first(wrong))} of " if wrong.ndim else ""
        found.error("E719", f"{row}`{port.name}` is not padded only at the {side}", None, notes=notes)


def _check_sorted(port: Port, array: Array, found: Collector) -> None:
    wrong: Array = array[..., 1:] < array[..., :-1]
    if wrong.any():
        *row, column = _first(wrong)
        place = [*row, column + 1]
        found.error("E720", f"`{port.name}` decreases at {place}, expected sorted values", None)


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(wrong)[0])


def _count(wrong: Array) -> str:
    count = int(wrong.sum())
    return "the only such position" if count == 1 else f"{count} such positions in total"
