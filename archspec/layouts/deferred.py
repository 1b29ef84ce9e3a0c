"""Tensors that are read in boxes: the parts of a converted tensor are cut before they are read from a file.

A box has a range for each axis. A box of a converted tensor is read by asking what it is made of for the smallest box
that contains it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from archspec.layouts.rearrange import solve

if TYPE_CHECKING:
    from torch import Tensor

    from archspec.text.rearrange import Side

Range = tuple[int, int]
"""The first entry of an axis and the one after the last."""
Box = tuple[Range, ...]
"""A range, which is not empty, for each axis of a tensor."""


class Deferred(ABC):
    """A tensor of a known shape whose entries are read when they are asked for."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    @abstractmethod
    def read(self, box: Box) -> Tensor:
        """Return the entries of a box."""


class Rearranged(Deferred):
    """Another tensor with its axes split, reordered and merged."""

    def __init__(self, source: Deferred, left: Side, right: Side, sizes: Mapping[str, int]) -> None:
        """Take the source's axes as `left` names them, in the order and grouping of `right`."""
        self._source, self._left, self._right = source, left, right
        self._sizes = solve(source.shape, left, sizes)
        super().__init__([prod(self._sizes[name] for name in axis) for axis in right])

    def read(self, box: Box) -> Tensor:
        """Read a box of the source that covers this one, rearrange it and cut what is too much."""
        wanted: dict[str, Range] = {}
        for axis, (start, stop) in zip(self._right, box, strict=True):
            wanted.update(zip(axis, _covering([self._sizes[name] for name in axis], start, stop), strict=True))
        read = {name: found for axis in self._left for name, found in self._readable(axis, wanted).items()}
        tensor = self._source.read(tuple(self._merged(axis, read) for axis in self._left))
        names = [name for axis in self._left for name in axis]
        tensor = tensor.reshape([_size(read[name]) for name in names])
        for place, name in enumerate(names):
            tensor = tensor.narrow(place, wanted[name][0] - read[name][0], _size(wanted[name]))
        tensor = tensor.permute([names.index(name) for axis in self._right for name in axis])
        tensor = tensor.reshape([prod(_size(wanted[name]) for name in axis) for axis in self._right])
        for place, (axis, (start, stop)) in enumerate(zip(self._right, box, strict=True)):
            tensor = tensor.narrow(place, start - self._merged(axis, wanted)[0], stop - start)
        return tensor

    def _readable(self, axis: tuple[str, ...], wanted: Mapping[str, Range]) -> dict[str, Range]:
        """Widen the ranges of the names of an axis until they are one range of the axis."""
        found: dict[str, Range] = {}
        for place, name in enumerate(axis):
            found[name] = wanted[name]
            if _size(wanted[name]) > 1:
                # Only below single entries is a range of an inner name one of the axis.
                return found | {inner: (0, self._sizes[inner]) for inner in axis[place + 1 :]}
        return found

    def _merged(self, axis: tuple[str, ...], ranges: Mapping[str, Range]) -> Range:
        """Return the range of an axis that the ranges of its names make."""
        start = last = 0
        for name in axis:
            start = start * self._sizes[name] + ranges[name][0]
            last = last * self._sizes[name] + ranges[name][1] - 1
        return start, last + 1


class Joined(Deferred):
    """Several tensors along an axis that they have."""

    def __init__(self, parts: Sequence[Deferred], axis: int, join: Callable[[Sequence[Tensor], int], Tensor]) -> None:
        """Join parts along an axis, counted from the front; `join` concatenates what was read."""
        self._parts, self._axis, self._join = parts, axis, join
        first = parts[0].shape
        super().__init__((*first[:axis], sum(part.shape[axis] for part in parts), *first[axis + 1 :]))

    def read(self, box: Box) -> Tensor:
        """Read the parts that the box meets, each no further than it does."""
        found, begin = [], 0
        for part in self._parts:
            start, stop = (max(edge - begin, 0) for edge in box[self._axis])
            stop = min(stop, part.shape[self._axis])
            if start < stop:
                found.append(part.read((*box[: self._axis], (start, stop), *box[self._axis + 1 :])))
            begin += part.shape[self._axis]
        return found[0] if len(found) == 1 else self._join(found, self._axis)


class Narrowed(Deferred):
    """A range of an axis of another tensor."""

    def __init__(self, source: Deferred, axis: int, start: int, size: int) -> None:
        """Take `size` entries from `start` on, of an axis counted from the front."""
        self._source, self._axis, self._start = source, axis, start
        super().__init__((*source.shape[:axis], size, *source.shape[axis + 1 :]))

    def read(self, box: Box) -> Tensor:
        """Read the box where it lies in the source."""
        start, stop = (edge + self._start for edge in box[self._axis])
        return self._source.read((*box[: self._axis], (start, stop), *box[self._axis + 1 :]))


class Altered(Deferred):
    """Another tensor with every value changed by itself."""

    def __init__(self, source: Deferred, change: Callable[[Tensor], Tensor]) -> None:
        """Take the values of the source as `change` makes them."""
        self._source, self._change = source, change
        super().__init__(source.shape)

    def read(self, box: Box) -> Tensor:
        """Read the box of the source and change it."""
        return self._change(self._source.read(box))


def _size(found: Range) -> int:
    return found[1] - found[0]


def _covering(sizes: Sequence[int], start: int, stop: int) -> list[Range]:
    """Return ranges of the factors of an axis, outermost first, that are one range of it and contain `start:stop`."""
    if not sizes:
        return []
    inner = prod(sizes[1:])
    first, last = start // inner, (stop - 1) // inner
    if first == last:
        return [(first, first + 1), *_covering(sizes[1:], start - first * inner, stop - first * inner)]
    return [(first, last + 1), *((0, size) for size in sizes[1:])]
