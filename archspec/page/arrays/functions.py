"""NumPy's functions that the package uses, for arrays in lists."""

from __future__ import annotations

import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, pairwise
from math import prod
from typing import Any

from archspec.page.arrays.array import asarray, last_if_nan, ndarray
from archspec.page.arrays.kinds import NumberKind, converted, kind_of, wider
from archspec.page.arrays.layout import axis_of, spread
from archspec.page.arrays.operators import combined

Function = Callable[[Any], Any]


def array(values: Any, dtype: Any = None) -> ndarray:
    """An array of its own."""
    return asarray(values, dtype).copy()


def ascontiguousarray(values: Any, dtype: Any = None) -> ndarray:
    """An array, which is always in order here."""
    return asarray(values, dtype)


def full(shape: Any, value: Any, dtype: Any = None) -> ndarray:
    """An array of one value."""
    given = asarray(value, dtype)
    wanted = _shape(shape)
    return ndarray(list(spread(given.data, given.shape, wanted)), wanted, given.kind)


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    """An array of zeros."""
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = float) -> ndarray:
    """An array of ones."""
    return full(shape, 1, dtype)


empty = zeros


def zeros_like(x: Any, dtype: Any = None) -> ndarray:
    """Zeros in the shape of another array."""
    return full_like(x, 0, dtype)


def full_like(x: Any, value: Any, dtype: Any = None) -> ndarray:
    """One value in the shape of another array."""
    like = asarray(x)
    return full(like.shape, value, dtype or like.dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    """Numbers from a start, 0 where only the end is given, up to an end."""
    start, stop = (0, start) if stop is None else (start, stop)
    count = max(0, math.ceil((stop - start) / step))
    found = [start + k * step for k in range(count)]
    kind = "f" if any(isinstance(x, float) for x in (start, stop, step)) else "i"
    made = ndarray(found, (count,), kind)
    return made if dtype is None else made.astype(dtype)


def fromiter(values: Iterable[Any], dtype: Any, count: int = -1) -> ndarray:
    """The numbers of an iterable."""
    found = list(values)
    if count not in (-1, len(found)):
        raise ValueError(f"{len(found)} numbers and not {count}")
    return asarray(found, dtype) if found else zeros(0, dtype)


def shape(x: Any) -> tuple[int, ...]:
    """The shape of an array."""
    return asarray(x).shape


def reshape(x: Any, shape: Any) -> ndarray:
    """The same numbers in another shape."""
    return asarray(x).reshape(shape)


def resize(x: Any, shape: Any) -> ndarray:
    """The numbers, repeated until they fill a shape."""
    data, wanted = asarray(x).data, _shape(shape)
    count = prod(wanted)
    return ndarray((data * (count // len(data) + 1))[:count], wanted, asarray(x).kind)


def broadcast_to(x: Any, shape: Any) -> ndarray:
    """An array broadcast to a shape."""
    given = asarray(x)
    return ndarray(list(spread(given.data, given.shape, _shape(shape))), _shape(shape), given.kind).as_view()


def moveaxis(x: Any, source: int, target: int) -> ndarray:
    """One axis moved to another place."""
    given = asarray(x)
    start = axis_of(source, given.ndim)
    order = [k for k in range(given.ndim) if k != start]
    order.insert(axis_of(target, given.ndim), start)
    return given.transpose(order)


def concatenate(parts: Sequence[Any], axis: int = 0) -> ndarray:
    """Arrays behind each other along an axis."""
    arrays = [asarray(part) for part in parts]
    axis = axis_of(axis, arrays[0].ndim)
    if len({(*one.shape[:axis], None, *one.shape[axis + 1 :]) for one in arrays}) > 1:
        raise ValueError(f"{[one.shape for one in arrays]} differ in more than axis {axis}")
    kind = wider(*(one.kind for one in arrays))
    before = arrays[0].shape[:axis]
    blocks = [prod(one.shape[axis:]) for one in arrays]
    data = [
        x
        for k in range(prod(before))
        for one, block in zip(arrays, blocks, strict=True)
        for x in one.data[k * block : (k + 1) * block]
    ]
    size = sum(one.shape[axis] for one in arrays)
    return ndarray(converted(data, "", kind), (*before, size, *arrays[0].shape[axis + 1 :]), kind)


def stack(parts: Sequence[Any], axis: int = 0) -> ndarray:
    """Arrays of one shape along a new axis."""
    arrays = [asarray(part) for part in parts]
    axis = axis_of(axis, arrays[0].ndim + 1)
    if len({one.shape for one in arrays}) > 1:
        raise ValueError("arrays of different shapes are not stacked")
    return concatenate([one.reshape((*one.shape[:axis], 1, *one.shape[axis:])) for one in arrays], axis)


def split(x: Any, parts: int, axis: int = 0) -> list[ndarray]:
    """Equal parts along an axis."""
    given = asarray(x)
    axis = axis_of(axis, given.ndim)
    size, rest = divmod(given.shape[axis], parts)
    if rest:
        raise ValueError(f"{given.shape[axis]} entries are not {parts} equal parts")
    whole = (slice(None),) * axis
    return [given[(*whole, slice(k * size, (k + 1) * size))] for k in range(parts)]


def repeat(x: Any, times: int, axis: int) -> ndarray:
    """Each entry along an axis several times."""
    if times == 1:
        return array(x)
    return asarray(x).along(lambda row: [x for x in row for _ in range(times)], axis)


def roll(x: Any, steps: Any, axis: Any) -> ndarray:
    """Entries moved along axes, those that leave at one end entering at the other."""
    found = asarray(x)
    pairs = zip(steps, axis, strict=True) if isinstance(axis, tuple | list) else [(steps, axis)]
    for step, one in pairs:
        found = found.along(partial(_rolled, by=step), one)
    return found


def _rolled(row: list[Any], by: int) -> list[Any]:
    start = -by % len(row) if row else 0
    return row[start:] + row[:start]


def pad(x: Any, widths: Any, mode: str = "constant", constant_values: Any = 0) -> ndarray:
    """Entries before and behind each axis: of one value, or with `wrap` those of the other end."""
    found = asarray(x)
    (filling,) = converted([constant_values], "", found.kind)
    if mode not in ("constant", "wrap") or not found.ndim or len(widths) != found.ndim:
        raise ValueError(f"arrays in lists are padded along each axis by a constant or by wrapping, not by {mode}")
    for axis, (before, behind) in enumerate(widths):
        if before < 0 or behind < 0:
            raise ValueError("an array is not padded by less than nothing")

        def longer(row: list[Any], before: int = before, behind: int = behind) -> list[Any]:
            if mode == "wrap":
                return [row[k % len(row)] for k in range(-before, len(row) + behind)]
            return [filling] * before + row + [filling] * behind

        if before or behind:
            found = found.along(longer, axis)
    return found


def sort(x: Any, axis: int = -1) -> ndarray:
    """Each row along an axis in order."""
    return asarray(x).along(partial(sorted, key=last_if_nan), axis)


def argsort(x: Any, axis: int = -1, kind: str | None = None) -> ndarray:
    """The order that sorts each row along an axis."""
    return asarray(x).argsort(axis)


def diff(x: Any, axis: int = -1) -> ndarray:
    """Differences of neighbours along an axis."""
    given = asarray(x)
    if given.kind == "b":
        raise TypeError("bools have no differences here")
    return given.along(lambda row: [b - a for a, b in pairwise(row)], axis)


def cumsum(x: Any, axis: int) -> ndarray:
    """Sums of ever more of the numbers along an axis."""
    return asarray(x).cumsum(axis)


def sum_of(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sums."""
    return asarray(x).sum(axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Means."""
    return asarray(x).mean(axis, keepdims)


def max_of(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest numbers."""
    return asarray(x).max(axis, keepdims)


def any_of(x: Any, axis: Any = None) -> Any:
    """Whether one is true."""
    return asarray(x).any(axis)


def prod_of(x: Any, axis: Any = None) -> Any:
    """Products."""
    return asarray(x).prod(axis)


def array_equal(x: Any, y: Any) -> bool:
    """Whether two arrays have the same shape and numbers."""
    a, b = asarray(x), asarray(y)
    # Lists are equal where they hold one object twice, such as one that is not a number.
    return a.shape == b.shape and all(map(operator.eq, a.data, b.data))


def flatnonzero(x: Any) -> ndarray:
    """The places in the list of what is not zero."""
    found = [k for k, value in enumerate(asarray(x).data) if value]
    return ndarray(found, (len(found),), "i")


def argwhere(x: Any) -> ndarray:
    """The indices of what is not zero, [found, axes]."""
    given = asarray(x)
    rows = [unravel_index(k, given.shape) for k, value in enumerate(given.data) if value]
    return ndarray(list(chain.from_iterable(rows)), (len(rows), given.ndim), "i")


def unravel_index(place: int, shape: Any) -> tuple[int, ...]:
    """The index of a place in the list."""
    found: list[int] = []
    for size in reversed(shape):
        found.append(place % size)
        place //= size
    return tuple(reversed(found))


def ix_(*axes: Any) -> tuple[ndarray, ...]:
    """Indices along each axis, shaped to broadcast against the others."""
    arrays = [asarray(one) for one in axes]
    if any(one.ndim != 1 for one in arrays):
        raise ValueError("an index along an axis has one axis")
    arrays = [flatnonzero(one) if one.kind == "b" else one for one in arrays]
    count = len(arrays)
    return tuple(one.reshape([1] * k + [one.size] + [1] * (count - k - 1)) for k, one in enumerate(arrays))


def searchsorted(rising: Any, values: Any, side: str = "left") -> ndarray:
    """Where values would be put into a rising list."""
    find = {"left": bisect_left, "right": bisect_right}[side]
    there = asarray(rising).data
    if any(x != x for x in (*there, *asarray(values).data)):
        raise ValueError("undefined numbers have no place among others")
    return asarray(values).map(lambda one: find(there, one), "i")


def packbits(x: Any, axis: int) -> ndarray:
    """Eight bools as the bits of one integer, along an axis."""

    def packed(row: list[Any]) -> list[int]:
        bits = [int(bool(x)) for x in row] + [0] * (-len(row) % 8)
        return [int("".join(map(str, bits[k : k + 8])), 2) for k in range(0, len(bits), 8)]

    given = asarray(x)
    if given.kind == "f":
        raise TypeError("floats have no bits here")
    return given.along(packed, axis, "i")


def unique(x: Any, axis: int, return_index: bool) -> tuple[ndarray, ndarray]:
    """The different rows in order, and where each is first. Only for `axis=0` and `return_index=True`."""
    given = asarray(x)
    if axis != 0 or not return_index or any(x != x for x in given.data):
        raise ValueError("rows along another axis, without their places or with undefined numbers are not told apart")
    block = prod(given.shape[1:])
    first: dict[tuple[Any, ...], int] = {}
    for k in range(given.shape[0]):
        first.setdefault(tuple(given.data[k * block : (k + 1) * block]), k)
    rows = sorted(first)
    found = ndarray(list(chain.from_iterable(rows)), (len(rows), *given.shape[1:]), given.kind)
    return found, ndarray([first[row] for row in rows], (len(rows),), "i")


def sliding_window_view(x: Any, widths: Sequence[int], axis: Sequence[int]) -> ndarray:
    """All windows along some axes; the places within a window are axes behind the others."""
    given = asarray(x)
    axes = [axis_of(k, given.ndim) for k in axis]
    counts = list(given.shape)
    for one, width in zip(axes, widths, strict=True):
        counts[one] -= width - 1
    index: list[ndarray] = []
    rank = given.ndim + len(axes)
    for k, count in enumerate(counts):
        at = arange(count).reshape([count if n == k else 1 for n in range(rank)])
        if k in axes:
            place = given.ndim + axes.index(k)
            inner = arange(widths[axes.index(k)]).reshape([-1 if n == place else 1 for n in range(rank)])
            at = combined(operator.add, at, inner)
        index.append(at)
    if any(width > given.shape[k] for k, width in zip(axes, widths, strict=True)):
        raise ValueError("a window is larger than what it slides over")
    found: ndarray = given[tuple(index)]
    return found.as_view()


@contextmanager
def errstate(**_: str) -> Iterator[None]:
    """Nothing warns here."""
    yield


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int) else tuple(int(size) for size in shape)


def dtype(wanted: Any) -> NumberKind:
    """The kind that a type or a name means."""
    return NumberKind(kind=kind_of(wanted))
