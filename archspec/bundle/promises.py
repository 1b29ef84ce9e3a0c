"""Promises about the values of an input: bounds, order, and where padding stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Collector
from archspec.engines.interface import Port

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def check_values(port: Port, array: Array, sizes: Mapping[str, int], found: Collector) -> None:
    """Collect what an array of the right form breaks: E718, E719, E720 or E722."""
    _check_finite(port, array, found)
    _check_bound(port, array, sizes, found)
    if port.padding != "any":
        _check_padding(port, array, found)
    if port.sorted:
        _check_sorted(port, array, found)


def _check_finite(port: Port, array: Array, found: Collector) -> None:
    import numpy as np

    if array.dtype.kind != "f":
        return
    wrong: Array = np.asarray(~np.isfinite(array))
    if wrong.any():
        place = _first(wrong)
        # One such number spreads through products with zero, to positions that must not depend on it.
        notes = ["what a mask hides must be finite too", _count(wrong)]
        found.error("E722", f"`{port.name}{list(place)}` is {array[place]}", None, notes=notes)


def _check_bound(port: Port, array: Array, sizes: Mapping[str, int], found: Collector) -> None:
    if port.type.bound is None:
        return
    bound = port.type.bound.value(sizes)
    wrong = (array < 0) | (array >= bound)
    if wrong.any():
        place = _first(wrong)
        notes = [f"it goes from 0 to {bound - 1}", _count(wrong)]
        found.error("E718", f"`{port.name}{list(place)}` is {array[place]}", None, notes=notes)


def _check_padding(port: Port, array: Array, found: Collector) -> None:
    import numpy as np

    forward = array if port.padding == "right" else array[..., ::-1]
    falls = np.diff(forward.astype(np.int8), axis=-1) > 0
    wrong: Array = np.asarray(falls.any(-1) | ~forward[..., :1].any(-1))
    if wrong.any():
        side, other = ("right", "left") if port.padding == "right" else ("left", "right")
        notes = [f"true values stand at the {other}, adjoining, at least one", _count(wrong)]
        row = f"row {list(_first(wrong))} of " if wrong.ndim else ""
        found.error("E719", f"{row}`{port.name}` breaks the promise of padding at the {side}", None, notes=notes)


def _check_sorted(port: Port, array: Array, found: Collector) -> None:
    wrong: Array = array[..., 1:] < array[..., :-1]
    if wrong.any():
        *row, column = _first(wrong)
        place = [*row, column + 1]
        found.error("E720", f"`{port.name}` falls at {place}", None, notes=["it is declared sorted"])


def _first(wrong: Array) -> tuple[int, ...]:
    import numpy as np

    return tuple(int(index) for index in np.argwhere(wrong)[0])


def _count(wrong: Array) -> str:
    count = int(wrong.sum())
    return "the only such place" if count == 1 else f"{count} such places in all"
