"""Where things stand: a picture of a plan, its coordinates with y upwards from its lower edge."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.views.diagram.plan import DiagramPart

Point = tuple[float, float]


@dataclass(kw_only=True)
class Box:
    """A part at its place. `x` and `y` are its lower left corner, `axis` the x through which its value flows."""

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
        """Its upper edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half its height."""
        return self.y + self.height / 2


@dataclass(kw_only=True)
class PlacedWire:
    """A wire at its place; an arrow ends at a part, others at the frame of what goes on inside."""

    points: list[Point]
    arrow: bool = True


@dataclass(kw_only=True)
class TypeLabel:
    """The type of a value, beside the line that it flows along."""

    at: Point
    text: str


@dataclass(kw_only=True)
class PlacedDiagram:
    """A plan whose parts have places. `axis` is the x at which its value comes in below and leaves above.

    `ports` are the y at which further inputs come in at the left edge.
    """

    width: float = 0.0
    height: float = 0.0
    axis: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    lines: list[PlacedWire] = field(default_factory=list)
    labels: list[TypeLabel] = field(default_factory=list)
    ports: dict[int, float] = field(default_factory=dict)
