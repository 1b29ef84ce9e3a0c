"""SVG drawing: rectangles, lines, circles and text, in the order in which they are added; all text is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from archspec.views.fonts import FAMILY

INK = "#1f2328"
GREY = "#57606a"
FAINT = "#d0d7de"
PAPER = "#ffffff"

Point = tuple[float, float]
# Characters that XML 1.0 cannot contain, not even escaped.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The length of the head of an arrow, in pixels.
_HEAD = 5.0


class Canvas:
    """An SVG document, or a group in one. Coordinates are in pixels, with y downwards."""

    def __init__(self, element: Element) -> None:
        self._element = element

    @classmethod
    def of_size(cls, width: float, height: float, title: str) -> Canvas:
        """A new document with a white background, so that it looks the same on light and dark pages."""
        attributes = {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_number(width)} {_number(height)}",
            "width": _number(width),
            "height": _number(height),
            "font-family": FAMILY,
            "role": "img",
        }
        canvas = cls(Element("svg", attributes))
        SubElement(canvas._element, "title").text = speakable(title)
        canvas.rect((0, 0), width, height, fill=PAPER)
        return canvas

    def group(self, **attributes: str) -> Canvas:
        """Add a group; `kind` becomes its class, `rendering` its `shape-rendering`, and other attributes `data-...`."""
        named = {_attribute(key): speakable(value) for key, value in attributes.items()}
        return Canvas(SubElement(self._element, "g", named))

    def rect(
        self,
        at: Point,
        width: float,
        height: float,
        *,
        fill: str,
        stroke: str = "",
        radius: float = 0,
        dash: str = "",
        weight: float = 0,
    ) -> None:
        """Add a rectangle, given its upper left corner; `dash` is a pattern of SVG, `weight` a stroke width."""
        optional = {
            "stroke": stroke,
            "stroke-width": _number(weight) if weight else "",
            "rx": _number(radius) if radius else "",
            "stroke-dasharray": dash,
        }
        self._add("rect", x=at[0], y=at[1], width=width, height=height, fill=fill, optional=optional)

    def circle(self, center: Point, radius: float, *, fill: str, stroke: str, weight: float = 0) -> None:
        """Add a circle."""
        optional = {"stroke": stroke, "stroke-width": _number(weight) if weight else ""}
        self._add("circle", cx=center[0], cy=center[1], r=radius, fill=fill, optional=optional)

    def line(self, points: Sequence[Point], *, color: str = INK, arrow: bool = False, width: float = 1.2) -> None:
        """Add a line through points with rounded corners; an arrow has its head at the last point."""
        end = points[-1]
        if arrow:
            # The line ends at the base of the head, so that it does not show beside the tip.
            back = _towards(end, points[-2], _HEAD)
            points = [*points[:-1], back]
        optional = {"stroke": color, "stroke-width": _number(width), "stroke-linejoin": "round"}
        self._add("path", d=_rounded(points), fill="none", optional=optional)
        if arrow:
            self._head(points[-1], end, color)

    def _head(self, back: Point, tip: Point, color: str) -> None:
        """Add the head of an arrow, from the middle of its base to its tip."""
        aside = ((tip[1] - back[1]) * 0.55, (back[0] - tip[0]) * 0.55)
        corners = (tip, (back[0] + aside[0], back[1] + aside[1]), (back[0] - aside[0], back[1] - aside[1]))
        self._add("polygon", points=" ".join(f"{_number(x)},{_number(y)}" for x, y in corners), fill=color)

    def text(
        self,
        at: Point,
        text: str,
        *,
        size: float,
        color: str = INK,
        anchor: str = "start",
        bold: bool = False,
        italic: bool = False,
        turned: float = 0,
    ) -> None:
        """Add a line of text.

        Args:
            at: the point on the baseline at which the text starts, is centred or ends, by `anchor`.
            text: the text.
            size: the font size in pixels.
            color: the fill colour.
            anchor: `start`, `middle` or `end`.
            bold: whether the text is bold.
            italic: whether the text is italic.
            turned: clockwise rotation about the point, in degrees.
        """
        optional = {
            "text-anchor": "" if anchor == "start" else anchor,
            "font-weight": "bold" if bold else "",
            "font-style": "italic" if italic else "",
            "transform": f"rotate({_number(turned)} {_number(at[0])} {_number(at[1])})" if turned else "",
        }
        element = self._add("text", x=at[0], y=at[1], fill=color, optional={"font-size": _number(size), **optional})
        element.text = speakable(text)

    def svg(self) -> str:
        """The document as text."""
        return tostring(self._element, encoding="unicode") + "\n"

    def _add(self, name: str, *, optional: Mapping[str, str] | None = None, **attributes: str | float) -> Element:
        """Add an element; optional attributes are written only if they are not empty, to keep documents small."""
        written = {key: value if isinstance(value, str) else _number(value) for key, value in attributes.items()}
        return SubElement(self._element, name, written | {k: v for k, v in (optional or {}).items() if v})


def _attribute(key: str) -> str:
    """The SVG name of an attribute. `class` is a keyword of Python, and a hyphen cannot be part of a name."""
    return {"kind": "class", "rendering": "shape-rendering"}.get(key, f"data-{key}")


def speakable(text: str) -> str:
    """The text with characters that XML cannot contain replaced by U+FFFD."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def _number(value: float) -> str:
    """A number with at most one decimal, to keep documents small; adding 0 turns -0.0 into 0."""
    return f"{round(value, 1) + 0:g}" if abs(value) < 1e5 else f"{value:.0f}"


def _towards(start: Point, end: Point, distance: float) -> Point:
    """The point at a distance from `start` towards `end`, or `end` if that is nearer."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    whole = (dx * dx + dy * dy) ** 0.5
    part = 1.0 if whole <= distance else distance / whole
    return start[0] + dx * part, start[1] + dy * part


def _rounded(points: Sequence[Point], radius: float = 4.0) -> str:
    """SVG path data through points, with small curves at the corners."""
    found = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        # A curve takes at most half of each of its lines, so that the curves of two near corners do not overlap.
        enter = _towards(corner, ((before[0] + corner[0]) / 2, (before[1] + corner[1]) / 2), radius)
        leave = _towards(corner, ((after[0] + corner[0]) / 2, (after[1] + corner[1]) / 2), radius)
        found.append(f"L{_pair(enter)}Q{_pair(corner)} {_pair(leave)}")
    return "".join([*found, f"L{_pair(points[-1])}"])


def _pair(point: Point) -> str:
    """A point in the notation of path data: `x y`."""
    return f"{_number(point[0])} {_number(point[1])}"
