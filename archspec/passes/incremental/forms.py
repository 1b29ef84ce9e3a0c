"""Which entries of an axis of positions a step has: the new ones, also some past ones, or all up to a capacity.

A mode is what is there in addition to the new entries: `NEW` (0) nothing, a number w the last w past ones before them,
`WHOLE` (None) an axis of the full graph's dim, on which the entry of a position has its index and the new ones are
already written; or, where what is kept grows, all past entries before the new ones. A form is one mode for each fed
axis of a value, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.size_use import sizes_in
from archspec.ir.types import Axis, TensorType
from archspec.record import record

Mode = int | None
Form = tuple[Mode, ...]
NEW: Mode = 0
WHOLE: Mode = None


class UnplacedAxis(Exception):
    """An axis whose size is computed from the number of positions, so that its entries are not single positions."""

    def __init__(self, axis: Axis) -> None:
        super().__init__(f"an axis has the size `{axis}`, so its entries are not single positions")


@record
class Fed:
    """The axis of positions: its dim `length` in the full graph, that of new positions, and the axis of the rows.

    `past` is the dim of past entries where what is kept grows with each step; None where it has a fixed capacity.
    """

    length: Symbol
    new: Symbol
    rows: Dim
    past: Symbol | None = None

    def axes(self, type_: TensorType) -> tuple[tuple[int, int], ...]:
        """The fed axes of a type: (number of the axis, number of the coordinate that is the position).

        Raises UnplacedAxis for an axis that depends on the number of positions in another way.
        """
        found, coordinate = [], 0
        for number, axis in enumerate(type_.axes):
            for factor in axis.factors:
                if factor == Dim.of(self.length):
                    found.append((number, coordinate))
                elif self.length in factor.symbols():
                    raise UnplacedAxis(axis)
                coordinate += 1
        return tuple(found)

    def row(self, type_: TensorType) -> tuple[int, ...]:
        """The coordinates that are the row: none for a type without rows, or where their number is fixed."""
        return () if self.rows.is_constant else tuple(k for k, size in enumerate(type_.space) if size == self.rows)

    def is_in(self, thing: object) -> bool:
        """Whether the number of positions occurs in a type, an op or a part of one."""
        return self.length in sizes_in(thing)

    def entries(self, mode: Mode) -> Dim:
        """The number of entries of an axis in a mode."""
        if mode is not None:
            return Dim.of(self.new) + mode
        return Dim.of(self.length) if self.past is None else Dim.of(self.past) + Dim.of(self.new)

    def mode(self, past: Mode) -> Mode:
        """The mode for entries that reach back so far: what grows is read whole, and masks leave out the older ones."""
        return past if self.past is None or past == NEW else WHOLE

    def kept(self, mode: Mode) -> Dim:
        """The number of entries that are kept of an axis in a mode."""
        if mode is not None:
            return Dim.of(mode)
        return Dim.of(self.length if self.past is None else self.past)

    def sized(self, type_: TensorType, form: Form) -> TensorType:
        """A type of the full graph with its fed axes in a form."""
        # One iterator for all axes: modes are in the order in which `axes` finds the factors.
        modes = iter(form)
        return TensorType(type_.dtype, tuple(self._axis(axis, modes) for axis in type_.axes), type_.bound)

    def _axis(self, axis: Axis, modes: Iterator[Mode]) -> Axis:
        own = Dim.of(self.length)
        return Axis(tuple(self.entries(next(modes)) if factor == own else factor for factor in axis.factors))


def widest(modes: Iterable[Mode]) -> Mode:
    """The mode that has the entries of all; `NEW` for none."""
    found = list(modes)
    return WHOLE if None in found else max((mode for mode in found if mode is not None), default=NEW)
