"""Reading pictures back: boxes, frames, texts and wires of an SVG document, in its coordinates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float]

# Advance widths of Arial, in thousandths: the font that most viewers show, measured apart from the product's own table.
_NARROW = {"i": 222, "j": 222, "l": 222, "I": 278, " ": 278, ".": 278, ",": 278, ":": 278, "[": 278, "]": 278, "/": 278}
_WIDE = {
    "m": 833,
    "M": 833,
    "w": 722,
    "W": 944,
    "&": 667,
    "+": 584,
    "×": 584,
    "→": 1000,
    "_": 556,
    "…": 1000,
    "@": 1015,
}
_OTHER = {"f": 278, "t": 278, "r": 333, "(": 333, ")": 333, "-": 333, "c": 500, "k": 500, "s": 500, "v": 500, "x": 500}
_LETTERS = {"y": 500, "z": 500, "J": 500, "L": 556, "F": 611, "T": 611, "Z": 611, "O": 778, "Q": 778, "G": 778}
_CAPITALS = dict.fromkeys("ABEKPSVXY", 667)
ARIAL = {**_NARROW, **_WIDE, **_OTHER, **_LETTERS, **_CAPITALS}


def arial(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line of text is in Arial."""
    plain = sum(ARIAL.get(c, 722 if c.isupper() else 556) for c in text) * size / 1000
    return plain * (1.08 if bold else 1.0)


@dataclass(frozen=True)
class Area:
    """A rectangle; `what` says for messages what it is."""

    x: float
    y: float
    right: float
    bottom: float
    what: str = ""

    def holds(self, other: Area, slack: float = 0.0) -> bool:
        """Whether another lies inside, up to some slack."""
        sides = (other.x - self.x, other.y - self.y, self.right - other.right, self.bottom - other.bottom)
        return min(sides) >= -slack

    def meets(self, other: Area) -> bool:
        """Whether the two have an inner point in common."""
        return (
            min(self.right, other.right) - max(self.x, other.x) > 0.5
            and min(self.bottom, other.bottom) - max(self.y, other.y) > 0.5
        )

    def on_border(self, point: Point, slack: float = 1.5) -> bool:
        """Whether a point lies on the border."""
        grown = Area(self.x - slack, self.y - slack, self.right + slack, self.bottom + slack)
        inner = (self.x + slack < point[0] < self.right - slack) and (self.y + slack < point[1] < self.bottom - slack)
        return grown.holds(Area(*point, *point)) and not inner

    def shrunk(self, by: float) -> Area:
        """A smaller one about the same middle."""
        return Area(self.x + by, self.y + by, self.right - by, self.bottom - by, self.what)


@dataclass(frozen=True)
class Wire:
    """A line through points; `tip` is where its arrow points, if it has one."""

    points: tuple[Point, ...]
    tip: Point | None

    def segments(self) -> Iterator[tuple[Point, Point]]:
        """Its straight pieces."""
        ends = (*self.points[:-1], self.tip or self.points[-1])
        yield from pairwise(ends)

    def passes(self, point: Point, slack: float = 1.5) -> bool:
        """Whether a point lies on the line."""
        return any(_box(a, b, slack).holds(Area(*point, *point)) for a, b in self.segments())

    def crosses(self, area: Area) -> bool:
        """Whether a piece runs through the inside of an area."""
        return any(_box(a, b, 0.3).meets(area) for a, b in self.segments())


@dataclass
class Picture:
    """What a diagram's document holds."""

    whole: Area
    boxes: list[Area] = field(default_factory=list)
    frames: list[Area] = field(default_factory=list)
    joins: list[Area] = field(default_factory=list)
    inside: list[tuple[Area, list[Area]]] = field(default_factory=list)
    texts: list[Area] = field(default_factory=list)
    labels: list[Area] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)


def read(document: str) -> Picture:
    """Parse a diagram."""
    root = ElementTree.fromstring(document)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    picture = Picture(whole=Area(0, 0, width, height))
    _group(root, picture, "")
    return picture


def _group(element: ElementTree.Element, picture: Picture, kind: str) -> None:
    if kind == "wire":
        picture.wires.append(_wire(element))
        return
    rects = [_rect(one) for one in element.findall(f"{SVG}rect")]
    texts = [text_area(one) for one in element.findall(f"{SVG}text")]
    if kind in ("box", "frame"):
        area = Area(rects[0].x, rects[0].y, rects[0].right, rects[0].bottom, element.get("data-part", ""))
        (picture.boxes if kind == "box" else picture.frames).append(area)
        masks = [_rect(one) for group in element.findall(f"{SVG}g") for one in group.findall(f"{SVG}rect")[:1]]
        picture.inside.append((area, [*texts, *masks]))
    elif kind == "join":
        circle = element.find(f"{SVG}circle")
        assert circle is not None
        x, y, r = (float(circle.attrib[key]) for key in ("cx", "cy", "r"))
        picture.joins.append(Area(x - r, y - r, x + r, y + r, element.get("data-part", "")))
    elif kind == "label":
        picture.labels.append(_hull(texts))
    picture.texts += texts
    for inner in element.findall(f"{SVG}g"):
        if inner.get("class") != "mask" and kind != "join":
            _group(inner, picture, inner.get("class", ""))


def _rect(element: ElementTree.Element) -> Area:
    x, y, width, height = (float(element.attrib[key]) for key in ("x", "y", "width", "height"))
    return Area(x, y, x + width, y + height)


def text_area(element: ElementTree.Element) -> Area:
    """The space that a line of text takes."""
    size, x, y = (float(element.attrib[key]) for key in ("font-size", "x", "y"))
    wide = arial(element.text or "", size, bold=element.get("font-weight") == "bold")
    anchor = element.get("text-anchor", "start")
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    if element.get("transform"):
        return Area(x - size * 0.75, y - wide if anchor == "start" else y - wide / 2, x + size * 0.25, y + wide / 2)
    return Area(left, y - size * 0.82, left + wide, y + size * 0.22, element.text or "")


def _wire(element: ElementTree.Element) -> Wire:
    path, head = element.find(f"{SVG}path"), element.find(f"{SVG}polygon")
    assert path is not None
    steps = re.findall(r"([MLQ])([-\d. ]+)", path.attrib["d"])
    numbers = [[float(one) for one in step[1].split()] for step in steps]
    corners = [tuple(found[:2]) for (letter, _), found in zip(steps, numbers, strict=True) if letter == "Q"]
    points = (tuple(numbers[0]), *corners, tuple(numbers[-1]))
    tip = None
    if head is not None:
        x, y = head.attrib["points"].split()[0].split(",")
        tip = (float(x), float(y))
    return Wire(points=points, tip=tip)


def _hull(areas: list[Area]) -> Area:
    return Area(
        min(a.x for a in areas),
        min(a.y for a in areas),
        max(a.right for a in areas),
        max(a.bottom for a in areas),
        areas[0].what,
    )


def _box(a: Point, b: Point, slack: float) -> Area:
    return Area(min(a[0], b[0]) - slack, min(a[1], b[1]) - slack, max(a[0], b[0]) + slack, max(a[1], b[1]) + slack)
