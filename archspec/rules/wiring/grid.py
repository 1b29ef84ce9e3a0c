"""The positions of a value as the bits of an integer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from math import prod
from operator import or_

from archspec.ir.graph import Value
from archspec.rules.verdict import TooManyPositions

Index = tuple[int, ...]


MOST_POSITIONS = 5_000_000
"""Values with more positions are not traced position by position."""


def check_count(value: Value, starts: Sequence[Sequence[int] | None], sizes: Sequence[int]) -> None:
    """Raise TooManyPositions for a value with more than `MOST_POSITIONS` cells."""
    # A range longer than a machine word has no `len`.
    count = prod(
        n if one is None else one.stop if isinstance(one, range) else len(one)
        for one, n in zip(starts, sizes, strict=True)
    )
    if count > MOST_POSITIONS:
        raise TooManyPositions(value.name, count)


class CellGrid:
    """Coordinates, each with the positions at which its cells start; the last coordinate varies fastest."""

    def __init__(self, starts: Sequence[Sequence[int]], sizes: Sequence[int]) -> None:
        self.starts = [tuple(one) for one in starts]
        self.sizes = tuple(sizes)
        self.counts = tuple(len(one) for one in self.starts)
        self.total = prod(self.counts)
        # Row-major: the stride of a coordinate is the product of the later counts.
        strides = [1]
        for count in reversed(self.counts[1:]):
            strides.insert(0, strides[0] * count)
        self.strides = tuple(strides[: len(self.counts)])
        self._boxes: dict[tuple[tuple[int, int], ...], int] = {}

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, CellGrid) and self.starts == other.starts and self.sizes == other.sizes
        )

    def __hash__(self) -> int:
        # The starts are left out: equal grids have equal hashes all the same, and starts may be many.
        return hash((self.counts, self.sizes))

    @property
    def everything(self) -> int:
        """The set of all positions."""
        return (1 << self.total) - 1

    def index(self, bit: int) -> Index:
        """The position of a bit: the start of its cell on each coordinate."""
        result = []
        for starts, stride in zip(self.starts, self.strides, strict=True):
            number, bit = divmod(bit, stride)
            result.append(starts[number])
        return tuple(result)

    def bit(self, index: Sequence[int]) -> int:
        """The number of the bit of a position at which cells start."""
        places = zip(self.starts, self.strides, index, strict=True)
        return sum(bisect_left(starts, k) * stride for starts, stride, k in places)

    def box(self, ranges: Sequence[tuple[int, int]]) -> int:
        """The set of all cells that start within the ranges, both ends included."""
        cells = tuple(
            (bisect_left(starts, low), bisect_left(starts, high + 1))
            for starts, (low, high) in zip(self.starts, ranges, strict=True)
        )
        # The same boxes recur from row to row.
        if cells not in self._boxes:
            self._boxes[cells] = self._fill(cells)
        return self._boxes[cells]

    def _fill(self, cells: tuple[tuple[int, int], ...]) -> int:
        return self.product([range(low, high) for low, high in cells])

    def product(self, cells: Sequence[Iterable[int]]) -> int:
        """The set of all positions whose cell numbers are among those given for each coordinate."""
        bits = 1
        for numbers, stride in zip(reversed(cells), reversed(self.strides), strict=True):
            # From the fastest coordinate outwards: the pattern so far is repeated at every cell of the next coordinate.
            row, bits = bits, 0
            for k in numbers:
                bits |= row << (k * stride)
        return bits

    def spread(self, found: int, over: Iterable[int]) -> int:
        """The positions of a set, and all that differ from one of them in the coordinates `over` alone."""
        for k in over:
            numbers, stride = range(self.counts[k]), self.strides[k]
            first = self.product([range(1) if k == other else range(n) for other, n in enumerate(self.counts)])
            # Some position is in the set, whatever its coordinate is; then all that differ in it are.
            some = reduce(or_, (found >> j * stride & first for j in numbers), 0)
            found = reduce(or_, (some << j * stride for j in numbers), 0)
        return found

    def corners(self, found: int) -> tuple[Index, Index] | None:
        """The first and the last position of a set that is a box; None for any other set."""
        low, high = self.index((found & -found).bit_length() - 1), self.index(found.bit_length() - 1)
        return (low, high) if self.box(list(zip(low, high, strict=True))) == found else None


def bits_of(found: int) -> Iterator[int]:
    """The numbers of the bits that are set, lowest first."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest
