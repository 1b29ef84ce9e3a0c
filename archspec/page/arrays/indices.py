"""Indices of arrays: integers, slices, new axes, and arrays of integers or bools."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.page.arrays.layout import Shape, offsets, spread, strides_of, together

if TYPE_CHECKING:
    from archspec.page.arrays.array import ndarray


def selected(index: Any, shape: Shape) -> tuple[Shape, list[int]]:
    """The shape that an index gives, and the places in the list that it names. Raises IndexError out of range."""
    strides, groups, sizes = strides_of(shape), list[Sequence[int]](), list[int]()
    chosen: list[tuple[ndarray, int, int]] = []
    place: int | None = None
    start, axis, is_apart = 0, 0, False
    for one in _whole(index, len(shape)):
        if one is None:
            groups.append((0,))
            sizes.append(1)
            continue
        if isinstance(one, slice):
            steps = range(*one.indices(shape[axis]))
            groups.append([k * strides[axis] for k in steps])
            sizes.append(len(steps))
            is_apart |= bool(chosen)
        elif hasattr(one, "shape") and one.shape:
            is_apart, place = (True, 0) if is_apart and chosen else (is_apart, len(groups) if place is None else place)
            chosen.append((one, shape[axis], strides[axis]))
        else:
            start += _inside(int(one), shape[axis]) * strides[axis]
        axis += 1
    if chosen:
        common, found = _chosen(chosen)
        place = place or 0
        groups[place:place] = [found]
        sizes[place:place] = common
    return tuple(sizes), offsets(groups, start)


def _inside(k: int, size: int) -> int:
    """An index that counts from the start."""
    if not -size <= k < size:
        raise IndexError(f"index {k} is out of range for an axis of {size}")
    return k % size


def _chosen(chosen: Sequence[tuple[ndarray, int, int]]) -> tuple[Shape, list[int]]:
    """The common shape of arrays of integers, and the sums of the places that they name."""
    common = together(*(one.shape for one, _, _ in chosen))
    total = [0] * prod(common)
    for one, size, stride in chosen:
        found = spread(one.data, one.shape, common)
        total = [x + _inside(int(k), size) * stride for x, k in zip(total, found, strict=True)]
    return common, total


def _whole(index: Any, rank: int) -> list[Any]:
    """An index for every axis, with arrays of bools as arrays of integers."""
    parts: list[Any] = []
    for one in index if isinstance(index, tuple) else (index,):
        parts += _of_bools(one) if _is_bools(one) else [_as_array(one)]
    used = sum(one is not None and one is not Ellipsis for one in parts)
    if used > rank:
        raise IndexError(f"{used} indices for {rank} axes")
    rest: list[Any] = [slice(None)] * (rank - used)
    at = next((k for k, one in enumerate(parts) if one is Ellipsis), None)
    return [*parts, *rest] if at is None else [*parts[:at], *rest, *parts[at + 1 :]]


def _as_array(one: Any) -> Any:
    if not isinstance(one, list):
        return one
    from archspec.page.arrays.array import asarray

    return asarray(one)


def _is_bools(one: Any) -> bool:
    return hasattr(one, "shape") and bool(one.shape) and one.kind == "b"


def _of_bools(mask: ndarray) -> list[ndarray]:
    """For each axis of a mask, the indices where it is true."""
    from archspec.page.arrays.array import ndarray

    at = [k for k, x in enumerate(mask.data) if x]
    return [
        ndarray([k // stride % size for k in at], (len(at),), "i")
        for size, stride in zip(mask.shape, strides_of(mask.shape), strict=True)
    ]
