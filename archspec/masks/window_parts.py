"""The parts of windows that wrap around: a leaf that the field `windows` of attention makes, and no text of a mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product as pairs

from archspec.algebra.dim import Dim, product
from archspec.masks.atom import MaskAtom
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Leaf
from archspec.record import record
from archspec.relation.atoms import Atom, Flat, Relation
from archspec.relation.forms import ONE, Form, Place, form, total

Axes = tuple[Form, Form]
"""Row and column in a shifted grid, of the number of a window and the position in it."""


@record(kw_only=False)
class WindowParts(SameSegment):
    """Positions of one window that wrapping around did not bring together; the control numbers the parts of windows.

    Windows of `size` are rows of the batch, `count` down and along for each. Along an axis of n positions that was
    moved by a `shift`, those from n - shift on came from the other end.
    """

    word = ""
    hint = "windows"
    absolute = True

    count: tuple[Dim, Dim] = (ONE, ONE)
    size: tuple[int, int] = (1, 1)
    shift: tuple[int, int] = (0, 0)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        own = None if self.own is None else numbers[self.own]
        return WindowParts(numbers[self.control], own, self.count, self.size, self.shift)

    def parted(self, own: Mapping[int, int]) -> MaskAtom:
        """The parts of the queries from another control."""
        return WindowParts(self.control, own.get(self.control, self.own), self.count, self.size, self.shift)

    def relation(self, at: Coordinates) -> Relation:
        """Both in front of the end that wrapped around, or both in it, along each axis."""
        if at.apart or not (at.out_leading and at.in_leading) or len(at.query) != 1 or len(at.key) != 1:
            return super().relation(at)
        query, key = self._cell(at.out_leading[0], at.query[0]), self._cell(at.in_leading[0], at.key[0])
        if query is None or key is None:
            return super().relation(at)
        sides = [list(self._sides(number, query[number], key[number])) for number in (0, 1) if self.shift[number]]
        chosen = (frozenset(flat for side in one for flat in side) for one in pairs(*sides))
        return Relation(tuple(Atom(flats=flats) for flats in chosen))

    def _sides(self, number: int, query: Form, key: Form) -> Iterable[tuple[Flat, Flat]]:
        """Query and key on either side of where an axis begins to hold what wrapped around."""
        first = self.count[number] * self.size[number] - self.shift[number]
        yield Flat(out=query, inp=(), hi=first - 1), Flat(out=(), inp=key, lo=1 - first)
        yield Flat(out=query, inp=(), lo=first), Flat(out=(), inp=key, hi=-first)

    def _cell(self, window: Place, position: Place) -> Axes | None:
        """Row and column of a position, where its coordinates are those of windows; None where they are others."""
        # The batch has a size that is not known here, and a coordinate of its own.
        numbers = _coordinates(form(window), (None, *self.count))
        places = _coordinates(form(position), tuple(map(Dim.of, self.size)))
        if numbers is None or places is None:
            return None
        row, column = (
            total([*((k, Dim.of(size)) for k in number), *((k, ONE) for k in place)])
            for number, place, size in zip(numbers[1:], places, self.size, strict=True)
        )
        return row, column

    def text(self, names: Sequence[str]) -> str:
        """`windows(7 x 7, shift 3 x 3)`."""
        return f"windows({self.size[0]} x {self.size[1]}, shift {self.shift[0]} x {self.shift[1]})"


def _coordinates(found: Form, sizes: Sequence[Dim | None]) -> list[list[int]] | None:
    """The coordinates of the factors of a flat position: one each, none for a size of 1; None for other factors.

    The first size may be unknown.
    """
    result: list[list[int]] = []
    for number, size in enumerate(sizes):
        stride = product(one for one in sizes[number + 1 :] if one is not None)
        result.append([] if size == ONE else [k for k, own in found if own == stride])
    # Each coordinate belongs to one factor, and each factor of more than one position has one.
    count = sum(size != ONE for size in sizes)
    return result if len(found) == count == sum(map(len, result)) and all(len(one) < 2 for one in result) else None
