"""Indices of arrays: integers, slices, new axes, and arrays of integers or bools."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod
from typing import Any

from archspec.page.arrays.layout import Shape, offsets, spread, strides_of, together

Numbers = tuple[list[Any], Shape, int | None]
"""The numbers of an array, its shape, and the size of the axis that it is an index of, if only that one fits."""


def selected(index: Any, shape: Shape) -> tuple[Shape, list[int]]:
    """The shape that an index gives, and the places in the list that it names. Raises IndexError out of range
    and for what is no index.

    Args:
        index: integers, slices, None, `...` and arrays, of which those of bools stand for the places that are true.
        shape: the shape of the array.
    """
    strides, groups, sizes = strides_of(shape), list[Sequence[int]](), list[int]()
    chosen: list[tuple[Numbers, int, int]] = []
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
        elif isinstance(one, tuple):
            is_apart, place = (True, 0) if is_apart and chosen else (is_apart, len(groups) if place is None else place)
            if one[2] not in (None, shape[axis]):
                raise IndexError(f"a mask of {one[2]} for an axis of {shape[axis]}")
            chosen.append((one, shape[axis], strides[axis]))
        else:
            start += _inside(_integer(one), shape[axis]) * strides[axis]
        axis += 1
    if chosen:
        common, found = _chosen(chosen)
        place = place or 0
        groups[place:place] = [found]
        sizes[place:place] = common
    return tuple(sizes), offsets(groups, start)


def _integer(one: Any) -> int:
    """An index that is an integer: neither a bool, which means something else, nor a float."""
    if isinstance(one, bool) or getattr(one, "kind", "i") != "i":
        raise IndexError(f"{one!r} is no index of an axis")
    try:
        return operator.index(one)
    except TypeError:
        raise IndexError(f"{one!r} is no index of an axis") from None


def _inside(k: int, size: int) -> int:
    """An index that counts from the start."""
    if not -size <= k < size:
        raise IndexError(f"index {k} is out of range for an axis of {size}")
    return k % size


def _chosen(chosen: Sequence[tuple[Numbers, int, int]]) -> tuple[Shape, list[int]]:
    """The common shape of arrays of integers, and the sums of the places that they name."""
    common = together(*(own for (_, own, _), _, _ in chosen))
    total = [0] * prod(common)
    for (data, own, _), size, stride in chosen:
        found = spread(data, own, common)
        total = [x + _inside(int(k), size) * stride for x, k in zip(total, found, strict=True)]
    return common, total


def _whole(index: Any, rank: int) -> list[Any]:
    """An index for every axis, with each array as its numbers and shape, and those of bools as integers."""
    parts: list[Any] = []
    for one in index if isinstance(index, tuple) else (index,):
        if not getattr(one, "shape", ()):
            parts.append(one)
        elif one.kind == "b":
            parts += _of_bools(one.data, one.shape)
        elif one.kind == "i":
            parts.append((one.data, one.shape, None))
        else:
            raise IndexError("floats are no indices")
    used = sum(one is not None and one is not Ellipsis for one in parts)
    if used > rank:
        raise IndexError(f"{used} indices for {rank} axes")
    rest: list[Any] = [slice(None)] * (rank - used)
    at = next((k for k, one in enumerate(parts) if one is Ellipsis), None)
    return [*parts, *rest] if at is None else [*parts[:at], *rest, *parts[at + 1 :]]


def _of_bools(data: list[Any], shape: Shape) -> list[Numbers]:
    """For each axis of a mask, the indices where it is true."""
    at = [k for k, x in enumerate(data) if x]
    sizes = zip(shape, strides_of(shape), strict=True)
    return [([k // stride % size for k in at], (len(at),), size) for size, stride in sizes]
