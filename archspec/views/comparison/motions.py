"""How the stages of a spec move when its input is moved along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Literal

from archspec.analyses.shift import Shifts
from archspec.ir.graph import Graph, Value
from archspec.ir.motion import Motion, Move, Moves, Still
from archspec.record import record

Extent = Literal["everywhere", "inside", "still", "broken"]


@record(eq=False)
class StageMotion:
    """How a value moves when an input is moved along an axis by multiples of `unit`.

    `extent` says where that is proved: `everywhere` under cyclic moves, `inside` where the field of a position does not
    reach over a border, `still` where nothing changes under cyclic moves, and `broken` where nothing is proved.
    `node` and `reason` are what keeps it from moving everywhere, or with `broken` at all; empty where nothing does.
    `place` says where the positions of the value lie on the axis, None where that is not known; with `has_field` each
    depends on no more than its field.
    """

    axis: int
    unit: int
    extent: Extent
    node: str
    reason: str
    place: Moves | None
    has_field: bool

    def inside(self, sizes: Mapping[str, int]) -> tuple[int, int] | None:
        """How many positions have their field inside the input at some sizes, and how many there are."""
        if self.place is None:
            return None
        length, place = self.place.move.length.value(sizes), self.place
        count = place.size.value(sizes)
        # Rounded outwards: a position that touches the border is not inside.
        low, high = floor(place.low), ceil(place.high)
        fits = sum(floor(place.span * m) + low >= 0 and ceil(place.span * m) + high < length for m in range(count))
        return fits, count

    def comparable(self, sizes: Mapping[str, int]) -> int | None:
        """How many positions there are at some sizes where the motion is proved; None where that is not known."""
        counts = self.inside(sizes)
        if counts is None:
            return None
        return counts[0] if self.extent == "inside" else counts[1]


class Motions:
    """The motions of values of a graph along one axis of an input; values are asked for in the order of the graph."""

    def __init__(self, graph: Graph, source: Value, axis: int) -> None:
        self.graph, self.source, self.axis = graph, source, axis
        self._shifts: dict[tuple[int, bool], Shifts] = {}
        self._unit = 1
        self._last: tuple[Value, Moves] | None = None

    def of(self, value: Value) -> StageMotion:
        """The motion of a value."""
        own = self._motion(value, 1, False)
        if not isinstance(own, Moves):
            own = self._motion(value, 1, True)
        if isinstance(own, Moves):
            # A move by 4 moves a value of stride 4 by one; a move by 1 moves one that is sampled up by more.
            self._unit = Fraction(own.span).numerator
        unit = self._unit
        interior, circular = self._motion(value, unit, False), self._motion(value, unit, True)
        place = self._place(value, interior, circular)
        node, reason = self._broken(circular, unit, True)
        extent = _extent(interior, circular)
        if extent == "broken" and isinstance(interior, Moves):
            node, reason = self._broken(interior, unit, False)
        return StageMotion(
            axis=self.axis,
            unit=unit,
            extent=extent,
            node=node,
            reason=reason,
            place=place,
            has_field=isinstance(interior, Moves),
        )

    def _motion(self, value: Value, unit: int, circular: bool) -> Motion:
        return self._of(unit, circular).motion(value)

    def _of(self, unit: int, circular: bool) -> Shifts:
        key = unit, circular
        if key not in self._shifts:
            move = Move(length=self.source.type.shape[self.axis], unit=unit, circular=circular)
            self._shifts[key] = Shifts(self.graph, self.source, self.axis, move)
        return self._shifts[key]

    def _broken(self, motion: Motion, unit: int, circular: bool) -> tuple[str, str]:
        """The node that breaks a motion, and how."""
        node, reason = self._of(unit, circular).where(motion)
        # Which operand it was says nothing to a reader who does not see the graph.
        return ("" if node is None else node.path or node.op.name), reason.partition(" (operand")[0]

    def _place(self, value: Value, interior: Motion, circular: Motion) -> Moves | None:
        """Where the positions of a value lie: its own motion tells, else that of an earlier value with equal axes."""
        if isinstance(interior, Moves) and interior.step.denominator == 1:
            self._last = value, interior
            return interior
        if self._last is not None and _same_axes(value, self._last[0], self._last[1].axis):
            return self._last[1]
        return circular if isinstance(circular, Moves) and circular.step.denominator == 1 else None


def _extent(interior: Motion, circular: Motion) -> Extent:
    """Where a motion is proved."""
    if isinstance(circular, Still):
        return "still"
    if isinstance(circular, Moves) and circular.broken is None and circular.is_whole:
        return "everywhere"
    return "inside" if isinstance(interior, Moves) and interior.broken is None else "broken"


def _same_axes(value: Value, other: Value, axis: int) -> bool:
    """Whether two values have as many axes, and as many positions on one of them."""
    own, others = value.type.shape, other.type.shape
    return len(own) == len(others) and own[axis] == others[axis]
