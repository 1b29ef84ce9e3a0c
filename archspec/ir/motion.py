"""How a value changes when another value, the source, is moved along one of its axes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from fractions import Fraction

from archspec.algebra.dim import Dim, compare
from archspec.record import record

ZERO, ONE = Dim.of(0), Dim.of(1)

UNKNOWN = "has an effect under a shift that is not known"


@record
class Move:
    """A move of the source by `unit * k` positions along an axis of `length` positions, for every whole number k.

    With `circular`, positions that leave at one end enter at the other; without it, anything enters.
    """

    length: Dim
    unit: int
    circular: bool


@record(eq=False)
class Break:
    """What keeps a value from moving with the source: a predicate of the node, in words; compared by identity."""

    reason: str


@record
class Angles:
    """The angles of a table for rotary positions, whose rows are those of their own positions.

    Angles `of` the same frequencies are linear in the position; in a `grid` of rows and columns, row by row, they are
    linear in the row and in the column. The first `front` positions, before the grid, are not turned.
    """

    of: Hashable
    grid: tuple[Dim, Dim] | None = None
    front: Dim = ZERO

    def follow(self, one: Moves) -> bool:
        """Whether the difference of two positions of what moves gives the difference of their angles."""
        if self.grid is None:
            return one.is_alone
        rows, columns = self.grid
        down, along = (rows, ONE, columns), (columns, rows, ONE)
        found = (one.size, one.outer, one.inner)
        fits = any(
            all(compare(a, "==", b) is True for a, b in zip(found, wanted, strict=True)) for wanted in (down, along)
        )
        return fits and (one.front, one.back) == (self.front, ZERO)


@record
class Still:
    """A value that does not change. `level` are the axes along which its entries are equal.

    With `relative`, an entry depends on the last two axes by the difference of their positions alone. `angles` are
    those of a table for rotary positions.
    """

    level: frozenset[int] = frozenset()
    relative: bool = False
    angles: Angles | None = None


@record
class Everywhere:
    """A value of which every entry may depend on every position of the moved axis, however long it is."""


@record
class Lost:
    """A value of which it is not known where its entries move."""

    why: Break


@record
class Moves:
    """A value whose entries move along one axis by `step * k`, unless something is `broken`.

    Position p of the axis is `front + (o * size + m) * inner + r` with o < `outer` and r < `inner`: m moves. The first
    `front` and the last `back` positions are still. Under a circular move m is a window of a periodic sequence, which
    moves by `step * k`. Otherwise entry m depends on no positions of the source but `span * m + low` to
    `span * m + high`, counted on beyond its ends; the value is where it belongs wherever these are inside. `ends` says,
    of both ends, whether every m beyond them depends on positions beyond the source's.
    `angles` are the frequencies by which rotary positions have turned it.
    """

    move: Move
    axis: int
    size: Dim
    step: Fraction
    outer: Dim = ONE
    inner: Dim = ONE
    front: Dim = ZERO
    back: Dim = ZERO
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    ends: tuple[bool, bool] = (True, True)
    angles: Hashable | None = None
    broken: Break | None = None

    @property
    def span(self) -> Fraction:
        """How many positions of the source lie between two neighbours."""
        return self.move.unit / self.step

    @property
    def is_alone(self) -> bool:
        """Whether the axis holds what moves and nothing else."""
        return (self.outer, self.inner, self.front, self.back) == (ONE, ONE, ZERO, ZERO)

    @property
    def is_whole(self) -> bool:
        """Whether what moves is one period of the sequence, so that it moves cyclically."""
        step, length = self.step, self.move.length
        return compare(self.size * self.move.unit * step.denominator, "==", length * step.numerator) is True

    def breaks(self, reason: str) -> Moves:
        """The same, broken for this reason unless it is already."""
        return self if self.broken is not None else replace(self, broken=Break(reason=reason))

    def goes_with(self, other: Moves) -> bool:
        """Whether another value moves along the same positions of its own axis."""
        return _place(self) == _place(other)


def _place(one: Moves) -> tuple[object, ...]:
    return (one.size, one.step, one.outer, one.inner, one.front, one.back)


Motion = Still | Everywhere | Lost | Moves


def lost(reason: str) -> Lost:
    """A value about which nothing is known from here on."""
    return Lost(why=Break(reason=reason))


def source(move: Move, axis: int) -> Moves:
    """The source itself."""
    return Moves(move=move, axis=axis, size=move.length, step=Fraction(move.unit))
