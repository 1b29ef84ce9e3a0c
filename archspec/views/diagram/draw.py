"""Drawing of a layout as SVG, in colours that are common in papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.analyses.cost import cost
from archspec.diagnostics.layout import printable
from archspec.passes.scopes import Scopes
from archspec.rules.leaked import LeakPath
from archspec.spec import Spec
from archspec.views.canvas import GREY, INK, PAPER, Canvas
from archspec.views.diagram.attention import AttentionWords
from archspec.views.diagram.layout import Box, PlacedDiagram, PlacedWire, Point
from archspec.views.diagram.measure import (
    ASIDE,
    NOTE,
    NOTE_LINE,
    PAD,
    THUMB_CELL,
    TIMES,
    TITLE,
    TITLE_LINE,
    box_title,
    notes_of,
    thumb_side,
)
from archspec.views.diagram.place import laid_out
from archspec.views.diagram.plan import DiagramPart, DiagramPlan, Role
from archspec.views.diagram.survey import surveyed
from archspec.views.diagram.trail import lit
from archspec.views.diagram.words import count
from archspec.views.example import example
from archspec.views.fonts import fitted, width, wrapped

_FILL: Mapping[Role, str] = {
    "attention": "#ffe0b8",
    "feed_forward": "#c4e6f5",
    "norm": "#f3f2bd",
    "embedding": "#fbdede",
    "linear": "#dcdcf2",
    "convolution": "#d5ecd2",
    "pool": "#e9e1f0",
    "small": "#eeeeee",
    "aside": "#ffffff",
    "stack": "#f6f6f6",
    "group": "#f6f6f6",
    "sum": "#ffffff",
    "product": "#ffffff",
}
LEAK = "#b3261e"
"""The colour of the path of a leak."""
_THICK = 2.4
_OPEN, _MASKED = "#2f6db5", "#ffffff"
_MARGIN = 24.0


# Text above and below a narrow diagram gets at least this width.
_TEXT_WIDTH = 420.0


def plan_of(spec: Spec) -> DiagramPlan:
    """The plan of the diagram of a spec. Raises SpecError E752 for one with too many parts."""
    return surveyed(spec.graph, AttentionWords(Scopes(spec.graph), example(spec)))


def diagram(spec: Spec, leak: LeakPath | None = None) -> str:
    """The architecture as an SVG document: inputs at the bottom, outputs at the top.

    Args:
        spec: the spec.
        leak: a path that is drawn into it, in thick lines.

    Raises SpecError E752 for an architecture with too many parts.
    """
    plan = plan_of(spec)
    layout = laid_out(plan if leak is None else lit(plan, leak), top=True)
    room = max(layout.width, _TEXT_WIDTH)
    head, foot = _head(spec, room), [*_foot(spec, plan, room), *_legend(leak, room)]
    top = _MARGIN + 20 + 14 * len(head) + 8
    wide = max(layout.width, *(width(line, 10) for line in (*head, *foot)), width(spec.name, 15, bold=True))
    canvas = Canvas.of_size(wide + 2 * _MARGIN, top + layout.height + 20 + 14 * len(foot) + _MARGIN, spec.name)
    canvas.text((_MARGIN, _MARGIN + 11), spec.name, size=15, bold=True)
    for number, line in enumerate(head):
        canvas.text((_MARGIN, _MARGIN + 28 + 14 * number), line, size=10, color=GREY)
    left = _MARGIN + (wide - layout.width) / 2
    _Drawing(canvas, layout, (left, top + layout.height)).draw()
    for number, line in enumerate(foot):
        canvas.text((_MARGIN, top + layout.height + 26 + 14 * number), line, size=10, color=GREY)
    return canvas.svg()


def _head(spec: Spec, room: float) -> list[str]:
    """The lines above the diagram: the description of the spec, and its number of parameters."""
    # What turns or hides other text shows as an escape, with the width of the escape.
    about = "\n".join(map(printable, (spec.about or "").splitlines()))
    if width(about, 10) > room:
        # A long description is broken before the source in brackets, rather than somewhere inside it.
        about = about.replace(" (", "\n(", 1)
    lines = [line for part in about.split("\n") if part for line in wrapped(part, 10, room)]
    return [*lines, count(cost(spec.graph).parameters)]


def _legend(leak: LeakPath | None, room: float) -> list[str]:
    """The lines that say what the thick line is."""
    if leak is None:
        return []
    accused = "" if leak.culprit is None else "; ! marks the node that the error names"
    return wrapped(f"thick: the path by which {leak.output} depends on {leak.source}{accused}", 10, room)


def _foot(spec: Spec, plan: DiagramPlan, room: float) -> list[str]:
    """The lines below the diagram: the range of each dim, and the inputs that are not drawn."""
    dims = ", ".join(f"{name} {symbol.min} to {symbol.max:,}" for name, symbol in spec.dims.items())
    drawn = {part.title for part in plan.parts if part.role == "input"}
    hidden = [f"{value.name}: {value.type}" for value in spec.graph.inputs if value.name not in drawn]
    lines = [f"sizes: {dims}"] if dims else []
    if hidden:
        lines.append(f"masks and pools read {', '.join(hidden)}")
    return [line for words in lines for line in wrapped(words, 10, room)]


class _Drawing:
    """One layout on a canvas; `at` is the position of its lower left corner."""

    def __init__(self, canvas: Canvas, layout: PlacedDiagram, at: Point) -> None:
        self.canvas, self.layout, self.at = canvas, layout, at

    def place(self, point: Point) -> Point:
        """The position on the canvas of a point of the layout: y is upwards there and downwards on the canvas."""
        return self.at[0] + point[0], self.at[1] - point[1]

    def draw(self) -> None:
        """Draw frames with their contents, then lines and labels, then boxes, so that boxes cover lines."""
        for box in self.layout.boxes:
            if box.inside is not None:
                self._frame(box)
        # Lines of one value share their first part, where the thick one must be seen.
        for line in sorted(self.layout.lines, key=lambda line: line.lit):
            self._line(line)
        for label in self.layout.labels:
            self.canvas.text(self.place(label.at), label.text, size=NOTE, color=GREY)
        for box in self.layout.boxes:
            if box.inside is None:
                self._box(box)

    def _line(self, line: PlacedWire) -> None:
        group = self.canvas.group(kind="lit wire" if line.lit else "wire")
        color, width = _pen(line.lit, INK, 1.2)
        group.line([self.place(point) for point in line.points], arrow=line.arrow, color=color, width=width)

    def _frame(self, box: Box) -> None:
        """Draw the frame of an opened part with its header and repetitions, and the layout inside it."""
        assert box.inside is not None
        margin = TIMES if box.part.times > 1 else 0.0
        x, y = self.place((box.x + margin, box.top))
        group = self.canvas.group(kind="frame", part=box.part.title)
        fill = _FILL[box.part.role]
        color, weight = _pen(box.part.lit, "#8c959f")
        group.rect((x, y), box.width - margin, box.height, fill=fill, stroke=color, radius=9, weight=weight)
        for number, line in enumerate(box.header):
            group.text((x + 9, y + 15 + 12 * number), line, size=NOTE, color=INK if number == 0 else GREY)
        if box.part.times > 1:
            ports = list(box.inside.ports.values())
            high = box.height / 2
            # The number of repetitions would cover a line that enters at this height.
            high += 26 if any(abs(port - high) < 20 for port in ports) else 0
            words = f"{box.part.times} ×"
            self.canvas.text((x - 6, self.place((0, box.y + high))[1]), words, size=14, bold=True, anchor="end")
        self._to_rim(box, margin)
        inner = box.axis - box.inside.axis
        _Drawing(self.canvas, box.inside, self.place((inner, box.y))).draw()

    def _to_rim(self, box: Box, margin: float) -> None:
        """Extend the lines at the edges of the inner layout to the frame around it."""
        assert box.inside is not None
        top = box.y + box.inside.height
        self._line(PlacedWire(points=[(box.axis, top), (box.axis, box.top)], arrow=False, lit=box.part.lit))
        start, left = box.axis - box.inside.axis, box.x + margin
        for port, height in box.inside.ports.items():
            inner = box.part.inside
            is_lit = inner is not None and any(wire.lit for wire in inner.out_of(-1 - port))
            self._line(PlacedWire(points=[(left, box.y + height), (start, box.y + height)], arrow=False, lit=is_lit))

    def _box(self, box: Box) -> None:
        part = box.part
        if part.role in ("sum", "product"):
            self._circle(box)
        elif part.role in ("input", "output"):
            self._texts(self.canvas.group(kind="label"), box, box.axis)
        else:
            x, y = self.place((box.x, box.top))
            group = self.canvas.group(kind="box", part=part.title)
            small = part.role == "aside"
            dash = "3 2" if small else ""
            color, weight = _pen(part.lit, INK)
            fill = _FILL[part.role]
            group.rect((x, y), box.width, box.height, fill=fill, stroke=color, radius=5, dash=dash, weight=weight)
            if small:
                self._aside(group, box)
            else:
                self._texts(group, box, box.x + (box.width - thumb_side(part)) / 2)
            self._thumb(group, box)
        if part.accused:
            self._badge(box)

    def _badge(self, box: Box) -> None:
        """Mark the part whose fault the path is, at its upper left corner."""
        x, y = self.place((box.x, box.top))
        group = self.canvas.group(kind="badge")
        group.circle((x, y), 8, fill=LEAK, stroke=PAPER)
        group.text((x, y + 4), "!", size=12, color=PAPER, anchor="middle", bold=True)

    def _aside(self, group: Canvas, box: Box) -> None:
        x, y = self.place((box.x + box.width / 2, box.middle))
        words = fitted(box.part.title, ASIDE, box.width - PAD)
        group.text((x, y + 3.5), words, size=ASIDE, anchor="middle")

    def _texts(self, group: Canvas, box: Box, middle: float) -> None:
        """Draw the title and notes of a part, centred at the x `middle` and at half the height of the box."""
        notes = notes_of(box.part)
        high = TITLE_LINE + NOTE_LINE * len(notes)
        x, y = self.place((middle, box.middle + high / 2))
        bold = box.part.role in ("input", "output")
        group.text((x, y + 11.5), box_title(box.part), size=TITLE, anchor="middle", bold=bold)
        for number, note in enumerate(notes):
            at = (x, y + TITLE_LINE + 9 + NOTE_LINE * number)
            group.text(at, note, size=NOTE, color=GREY, anchor="middle")

    def _circle(self, box: Box) -> None:
        """Draw a sum or product as a circle with its sign."""
        x, y = self.place((box.axis, box.middle))
        group = self.canvas.group(kind="join", part=box.part.title)
        radius = box.width / 2
        color, weight = _pen(box.part.lit, INK)
        group.circle((x, y), radius, fill=_FILL[box.part.role], stroke=color, weight=weight)
        for turn in _strokes(box.part, radius * 0.55):
            group.line([(x + turn[0], y + turn[1]), (x - turn[0], y - turn[1])])

    def _thumb(self, group: Canvas, box: Box) -> None:
        """Draw the small picture of a mask at the right edge of a box, if the part has one."""
        mask = box.part.mask
        if mask is None:
            return
        rows, columns = len(mask.cells), len(mask.cells[0])
        x, y = self.place((box.x + box.width - PAD - columns * THUMB_CELL, box.middle + rows * THUMB_CELL / 2))
        picture = group.group(kind="mask", rendering="crispEdges")
        picture.rect((x, y), columns * THUMB_CELL, rows * THUMB_CELL, fill=_MASKED, stroke=GREY)
        for row, cells in enumerate(mask.cells):
            for start, end in _runs(cells):
                corner = (x + start * THUMB_CELL, y + row * THUMB_CELL)
                picture.rect(corner, (end - start) * THUMB_CELL, THUMB_CELL, fill=_OPEN)


def _pen(is_lit: bool, color: str, width: float = 0) -> tuple[str, float]:
    """Colour and width of a line: thick on the path of a leak, else as given; 0 is the width that is usual."""
    return (LEAK, _THICK) if is_lit else (color, width)


def _strokes(part: DiagramPart, reach: float) -> list[Point]:
    """The sign in a circle, as vectors from its centre to the ends of its strokes; the other ends are opposite."""
    if part.role == "sum":
        return [(reach, 0), (0, reach)]
    slanted = reach * 0.75
    return [(slanted, slanted), (slanted, -slanted)] if part.title == "×" else [(reach, 0)]


def _runs(cells: Sequence[bool]) -> list[tuple[int, int]]:
    """Ranges of neighbouring true cells: start and end."""
    edges = [k for k in range(len(cells) + 1) if (k > 0 and cells[k - 1]) != (k < len(cells) and cells[k])]
    return list(zip(edges[::2], edges[1::2], strict=True))
