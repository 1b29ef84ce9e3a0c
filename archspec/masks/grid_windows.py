"""Windows of a grid of positions: a leaf that the field `windows` of attention makes, and no text of a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.algebra.dim import Dim
from archspec.masks.atom import MaskAtom
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Leaf
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Atom, Difference, Relation, apart
from archspec.relation.forms import ONE, Place, form
from archspec.relation.meet import meet


@record(kw_only=False)
class GridWindows(SameSegment):
    """Positions of one window: the control numbers the windows of a grid of `columns` columns, row by row.

    Positions of one window are less than `size` rows and columns apart, which is all that the class adds.
    """

    word = ""
    hint = "windows"
    absolute = True

    columns: Dim = ONE
    size: tuple[int, int] = (1, 1)
    shift: tuple[int, int] = (0, 0)

    def renumbered(self, numbers: Mapping[int, int]) -> Leaf:
        """The same over another control."""
        own = None if self.own is None else numbers[self.own]
        return GridWindows(numbers[self.control], own, self.columns, self.size, self.shift)

    def parted(self, own: Mapping[int, int]) -> MaskAtom:
        """The windows of the queries from another control."""
        return GridWindows(self.control, own.get(self.control, self.own), self.columns, self.size, self.shift)

    def sizes(self) -> tuple[Dim, ...]:
        """The distance of the corners of a window, and its width."""
        return (self._reach, Dim.of(self.size[1]))

    def window(self) -> Dim | None:
        """The distance of the corners of a window."""
        return self._reach

    @property
    def _reach(self) -> Dim:
        """How far apart two positions of a window may be, row by row."""
        return self.columns * (self.size[0] - 1) + (self.size[1] - 1)

    def relation(self, at: Coordinates) -> Relation:
        """Equal numbers, and rows and columns less than a window apart; where the axis is no grid, its positions."""
        if at.apart or len(at.query) != 1 or len(at.key) != 1:
            return EVERYTHING
        query, key = self._cell(at.query[0]), self._cell(at.key[0])
        if query is None or key is None:
            near = apart(at.query[0], at.key[0], -self._reach, self._reach)
        else:
            near = Atom(
                differences=frozenset(
                    Difference(out=out, inp=inp, lo=Dim.of(1 - size), hi=Dim.of(size - 1))
                    for out, inp, size in zip(query, key, self.size, strict=True)
                )
            )
        return meet(super().relation(at), Relation((near,)))

    def _cell(self, place: Place) -> tuple[int, int] | None:
        """The coordinates of row and column, where a position is made of just these: `columns*row + column`."""
        match form(place):
            case ((row, stride), (column, one)) if stride == self.columns and one == ONE:
                return row, column
        return None

    def text(self, names: Sequence[str]) -> str:
        """`windows(7 x 7, shift 3 x 3)`."""
        shift = f", shift {self.shift[0]} x {self.shift[1]}" if any(self.shift) else ""
        return f"windows({self.size[0]} x {self.size[1]}{shift})"
