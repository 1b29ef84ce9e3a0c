"""State of a diagram during placement."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.views.diagram.lanes import Lanes
from archspec.views.diagram.layout import PlacedDiagram
from archspec.views.diagram.measure import Size
from archspec.views.diagram.plan import DiagramPart, DiagramPlan

FORK, BESIDE = 8.0, 26.0
"""The distance above a part at which a line to another column leaves, and the distance between a part and its aside."""


@dataclass(kw_only=True)
class SizedPart:
    """A part with its size and inner layout.

    `axis` is the distance of its value's line from its left edge. `beside` is the size of an aside, placed on the left
    or, with `on_right`, on the right.
    """

    part: DiagramPart
    size: Size
    axis: float
    inside: PlacedDiagram | None = None
    header: tuple[str, ...] = ()
    beside: Size | None = None
    on_right: bool = False

    @property
    def left(self) -> float:
        """The width on the left of its axis, including an aside there."""
        return self.axis + (self._room if not self.on_right else 0.0)

    @property
    def edge(self) -> float:
        """The distance from its axis to its own right edge."""
        return self.size.width - self.axis

    @property
    def right(self) -> float:
        """The width on the right of its axis, including an aside there."""
        return self.edge + (self._room if self.on_right else 0.0)

    @property
    def _room(self) -> float:
        return 0.0 if self.beside is None else self.beside.width + BESIDE


@dataclass(kw_only=True)
class Placing:
    """A plan during placement: `bottoms` are the y of the lower edges of parts, `axes` the x of columns.

    `labelled` says whether types are written beside lines, `cut` whether a single column was folded.
    """

    plan: DiagramPlan
    lanes: Lanes
    labelled: bool
    cut: bool = False
    frames: dict[int, SizedPart] = field(default_factory=dict)
    bottoms: dict[int, float] = field(default_factory=dict)
    axes: list[float] = field(default_factory=list)

    def top(self, part: int) -> float:
        """The y of the upper edge of a part."""
        return self.bottoms[part] + self.frames[part].size.height

    def forks(self, source: int) -> bool:
        """Whether a value has another reader than the part directly above."""
        return len({wire.target for wire in self.plan.out_of(source)}) > 1 or any(
            wire.target not in self._above(source) for wire in self.plan.out_of(source)
        )

    def _above(self, source: int) -> tuple[int, ...]:
        """The part directly above a source in its column, if any; for an input of the plan, the first of the column."""
        for column in self.lanes.columns:
            if source in column:
                place = column.index(source)
                return column[place + 1 : place + 2]
        return self.lanes.columns[self.home][:1]

    @property
    def home(self) -> int:
        """The column at which the value of the plan enters."""
        return 0 if self.cut or self.plan.result < 0 else self.lanes.of(self.plan.result)

    def label_at(self, part: int) -> float:
        """The y of the baseline of the label of a part."""
        return self.top(part) + (FORK + 5 if self.forks(part) else 5)

    def label(self, part: int) -> str:
        """The type written beside the line out of a part; "" if there is no label or the type is as below."""
        if not self.labelled or not self.plan.parts[part].gives:
            return ""
        above = self._above(part)
        if not above or self.plan.parts[above[0]].role == "output":
            return ""
        column = self.lanes.columns[self.lanes.of(part)]
        below = [self.plan.parts[k] for k in column[: column.index(part)] if self.plan.parts[k].gives]
        here = self.plan.parts[part].gives
        return "" if below and below[-1].gives == here else here
