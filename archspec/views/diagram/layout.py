"""Positions in a diagram: the layout of a plan, in pixels, with y upwards from its lower edge."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.views.diagram.plan import DiagramPart

Point = tuple[float, float]


@dataclass(kw_only=True)
class Box:
    """A placed part. `x` and `y` are its lower left corner, `axis` is the x at which its value enters and leaves."""

    part: DiagramPart
    x: float
    y: float
    width: float
    height: float
    axis: float
    inside: PlacedDiagram | None = None
    header: tuple[str, ...] = ()

    @property
    def top(self) -> float:
        """The y of its upper edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """The y of its centre."""
        return self.y + self.height / 2


@dataclass(kw_only=True)
class PlacedWire:
    """A placed wire. With an arrow it ends at a part; without, it continues in another layout or line.

    `lit` says that it is part of the path that the diagram shows.
    """

    # Corners from the source to the target; all segments are horizontal or vertical.
    points: list[Point]
    arrow: bool = True
    lit: bool = False


@dataclass(kw_only=True)
class TypeLabel:
    """The type of a value, written beside its line."""

    at: Point
    text: str


@dataclass(kw_only=True)
class PlacedDiagram:
    """A plan with placed parts. `axis` is the x at which its value enters at the bottom and leaves at the top.

    `ports` gives, by number, the y at which further inputs enter at the left edge.
    """

    width: float = 0.0
    height: float = 0.0
    axis: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    lines: list[PlacedWire] = field(default_factory=list)
    labels: list[TypeLabel] = field(default_factory=list)
    ports: dict[int, float] = field(default_factory=dict)
