"""Where the numbers of a row-major list go under broadcasting, transposition and indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from math import prod
from operator import index
from typing import Any

Shape = tuple[int, ...]


def axis_of(axis: Any, rank: int) -> int:
    """The number of an axis counted from the first. Raises ValueError where there is none, TypeError for no integer."""
    found = index(axis)
    if not -rank <= found < rank:
        raise ValueError(f"there is no axis {axis} of {rank}")
    return found % rank


def together(*shapes: Shape) -> Shape:
    """The shape that some shapes broadcast to. Raises ValueError where they do not."""
    found: list[int] = []
    for sizes in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        others = {size for size in sizes if size != 1}
        if len(others) > 1:
            raise ValueError(f"shapes do not broadcast: {shapes}")
        found.append(others.pop() if others else 1)
    return tuple(reversed(found))


def spread(data: list[Any], shape: Shape, target: Shape) -> list[Any]:
    """The numbers of an array broadcast to another shape. Raises ValueError where it does not."""
    if shape == target:
        return data
    if len(data) == 1 and len(shape) <= len(target):
        return data * prod(target)
    if len(shape) > len(target):
        raise ValueError(f"{shape} does not broadcast to {target}")
    sizes = (1,) * (len(target) - len(shape)) + shape
    for axis in reversed(range(len(target))):
        have, want = sizes[axis], target[axis]
        if have == want:
            continue
        if have != 1:
            raise ValueError(f"{shape} does not broadcast to {target}")
        block = prod(target[axis + 1 :])
        if block == 1:
            data = [x for x in data for _ in range(want)]
        else:
            data = [x for k in range(0, len(data), block) for x in data[k : k + block] * want]
    return data


def strides_of(shape: Shape) -> Shape:
    """How far apart neighbours along each axis are in the list."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def offsets(groups: Iterable[Sequence[int]], start: int = 0) -> list[int]:
    """Sums of one number of each group, the last group running fastest."""
    found = [start]
    for group in groups:
        found = [x + y for x in found for y in group] if len(found) > 1 else [found[0] + y for y in group]
    return found


def permuted(data: list[Any], shape: Shape, order: Sequence[int]) -> list[Any]:
    """The numbers of an array whose axes are put in another order."""
    # Trailing axes that stay in place move as blocks.
    kept = len(shape)
    while kept and order[kept - 1] == kept - 1:
        kept -= 1
    if not kept:
        return data
    strides, block = strides_of(shape), prod(shape[kept:])
    starts = offsets([range(0, shape[k] * strides[k], strides[k]) if shape[k] else () for k in order[:kept]])
    if block == 1:
        return list(map(data.__getitem__, starts))
    return [x for k in starts for x in data[k : k + block]]
