"""The picture of a comparison: effective fields beside each other, and deviation against the move as curves."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from archspec.record import record
from archspec.views.canvas import FAINT, GREY, Canvas, Point
from archspec.views.comparison.counted import Analysed
from archspec.views.comparison.measured_rows import figure
from archspec.views.comparison.measurement import EffectiveField, Measurement
from archspec.views.fonts import fitted, width
from archspec.views.heat_map import LEVELS, shade

if TYPE_CHECKING:
    from archspec.model.runner import Array

# All lengths are in pixels of the picture.
_MARGIN, _GAP, _SIDE, _STRIP = 24.0, 28.0, 240.0, 60.0
_CHART = (560.0, 220.0)
_MOST_CELLS = 56
# Four powers of ten, as the legend of the shades says.
_DECADES = 4.0
_COLORS = ("#2f6db5", "#c4432b", "#3a8a4d", "#8250a8", "#b07d12", "#57606a")


@record(eq=False)
class _Drawn:
    """A spec with what was measured of it, and its colour."""

    one: Analysed
    measured: Measurement
    color: str


def picture(found: Sequence[Analysed]) -> str:
    """The SVG document; specs of which nothing was measured are left out."""
    pairs = [(one, one.measured) for one in found if one.measured is not None]
    drawn = [
        _Drawn(one=one, measured=measured, color=_COLORS[number % len(_COLORS)])
        for number, (one, measured) in enumerate(pairs)
    ]
    title = ", ".join(one.one.subject.label for one in drawn)
    high = max((_height(one.measured.effective) for one in drawn), default=0.0)
    wide = max(len(drawn) * (_SIDE + _GAP) - _GAP, _CHART[0] + 60, width(title, 14, bold=True))
    # Below the maps: their notes and the scale; below the chart: its labels.
    top = _MARGIN + 34
    chart = top + 44 + high + 112
    canvas = Canvas.of_size(
        wide + 2 * _MARGIN, chart + _CHART[1] + 40 + 18 * len(drawn) + _MARGIN, f"Comparison of {title}"
    )
    canvas.text((_MARGIN, _MARGIN + 12), f"Comparison of {title}", size=14, bold=True)
    for number, one in enumerate(drawn):
        _map(canvas, one, (_MARGIN + number * (_SIDE + _GAP), top), high)
    _scale(canvas, (_MARGIN, top + 44 + high + 34))
    _curves(canvas, drawn, (_MARGIN + 44, chart))
    return canvas.svg()


def _height(field: EffectiveField | None) -> float:
    """The height of a map: a strip for a sequence."""
    if field is None:
        return _STRIP
    rows, columns = _plane(field.energy).shape
    return _STRIP if rows == 1 else _SIDE * min(1.5, rows / columns)


def _plane(energy: Array) -> Array:
    """The energy as rows and columns: a sequence is one row, and further axes are added up."""
    if energy.ndim == 1:
        return energy[None]
    plane: Array = energy.sum(tuple(range(energy.ndim - 2)))
    return plane


def _map(canvas: Canvas, one: _Drawn, at: Point, high: float) -> None:
    """The effective field of one spec, with its proved field as a dashed frame."""
    x, y = at
    field, subject = one.measured.effective, one.one.subject
    canvas.text((x, y + 12), fitted(subject.label, 12, _SIDE, bold=True), size=12, bold=True, color=one.color)
    if field is None:
        canvas.text((x, y + 30), "no effective field", size=11, color=GREY)
        return
    where = ", ".join(map(str, field.position))
    about = f"effective field of {field.stage.name}[{where}]"
    canvas.text((x, y + 30), fitted(about, 11, _SIDE), size=11, color=GREY)
    plane = _plane(field.energy)
    corner, size = (x, y + 40), (_SIDE, _height(field))
    _cells(canvas.group(kind="cells", panel=subject.label), plane, corner, size)
    _frame(canvas, field, plane.shape, corner, size)
    unit = subject.unit
    told = f"half within {field.radius(0.5)}, 95% within {field.radius(0.95)} of {max(plane.shape)} {unit}"
    canvas.text((x, y + 44 + high + 14), fitted(told, 11, _SIDE), size=11)


def _cells(canvas: Canvas, plane: Array, corner: Point, size: Point) -> None:
    """Blocks of positions in shades of their mean energy, on a scale of powers of ten below the largest."""
    import numpy as np

    rows, columns = plane.shape
    step = max(1, -(-max(rows, columns) // _MOST_CELLS))
    blocks = np.asarray(
        [[plane[i : i + step, j : j + step].mean() for j in range(0, columns, step)] for i in range(0, rows, step)]
    )
    largest = float(blocks.max())
    high, wide = size[1] / rows, size[0] / columns
    canvas.rect(corner, *size, fill=shade(0), stroke=FAINT)
    for (i, j), value in np.ndenumerate(blocks):
        level = _level(float(value), largest)
        if level:
            at = (corner[0] + j * step * wide, corner[1] + i * step * high)
            canvas.rect(at, min(step, columns - j * step) * wide, min(step, rows - i * step) * high, fill=shade(level))


def _level(value: float, largest: float) -> int:
    """The shade of an energy: 0 below the scale."""
    if value <= 0 or largest <= 0:
        return 0
    return max(0, round((1 + log10(value / largest) / _DECADES) * (LEVELS - 1)))


def _frame(canvas: Canvas, field: EffectiveField, shape: Sequence[int], corner: Point, size: Point) -> None:
    """The proved field of the position, where it is bounded, clipped at the borders of the input."""
    extents = [one.extent.constant if one.extent is not None else None for one in field.stage.field.fields.values()]
    if any(extent is None for extent in extents) or len(extents) > len(shape):
        return
    # A sequence is one row, all of which is in the frame.
    centre = (*([0.0] * (len(shape) - len(extents))), *field.centre)
    spans = (*([1] * (len(shape) - len(extents))), *(extent or 1 for extent in extents))
    ends = []
    for middle, extent, length, room in zip(centre, spans, shape, (size[1], size[0]), strict=True):
        low, high = max(0.0, middle - (extent - 1) / 2), min(length, middle + (extent + 1) / 2)
        ends.append((low * room / length, high * room / length))
    (top, bottom), (left, right) = ends
    at = (corner[0] + left, corner[1] + top)
    canvas.rect(at, right - left, bottom - top, fill="none", stroke="#c4432b", dash="4 3")


def _scale(canvas: Canvas, at: Point) -> None:
    """The scale of the shades, and what the frame is."""
    x, y = at
    steps = 33
    for number in range(steps):
        canvas.rect((x + 4 * number, y), 4, 10, fill=shade(number * (LEVELS - 1) // (steps - 1)))
    canvas.rect((x, y), 4 * steps, 10, fill="none", stroke=FAINT)
    told = "squared gradient, from 1/10000 of the largest mean to the largest"
    canvas.text((x + 4 * steps + 8, y + 9), told, size=10, color=GREY)
    canvas.rect((x, y + 17), 24, 10, fill="none", stroke="#c4432b", dash="4 3")
    canvas.text(
        (x + 4 * steps + 8, y + 26), "proved field, where it is local and not all of the input", size=10, color=GREY
    )


def _curves(canvas: Canvas, drawn: Sequence[_Drawn], at: Point) -> None:
    """Deviation of the output against the move: a curve for each spec, and a faint line for another input."""
    x, y = at
    wide, high = _CHART
    canvas.text(
        (x - 44, y - 16), "largest change of the output / its largest value, against the move", size=12, bold=True
    )
    finite = [
        value
        for one in drawn
        for value in (*(deviation.largest for deviation in one.measured.output), one.measured.another)
        if isfinite(value)
    ]
    most = _round_up(max(finite, default=0.0))
    farthest = max((deviation.by for one in drawn for deviation in one.measured.output), default=1)
    canvas.line([(x, y), (x, y + high), (x + wide, y + high)], color=GREY, width=1)
    for part in range(5):
        place = y + high - part / 4 * high
        canvas.line([(x - 4, place), (x, place)], color=GREY, width=1)
        canvas.text((x - 7, place + 4), figure(part / 4 * most), size=10, color=GREY, anchor="end")
    for by in sorted({1, *range(4, farthest + 1, 4)}):
        place = x + by / farthest * wide
        canvas.line([(place, y + high), (place, y + high + 4)], color=GREY, width=1)
        canvas.text((place, y + high + 16), str(by), size=10, color=GREY, anchor="middle")
    for number, one in enumerate(drawn):
        points = [
            (x + deviation.by / farthest * wide, y + high - deviation.largest / most * high)
            for deviation in one.measured.output
            if isfinite(deviation.largest)
        ]
        group = canvas.group(kind="curve", panel=one.one.subject.label)
        if isfinite(one.measured.another):
            level = y + high - one.measured.another / most * high
            group.line([(x, level), (x + wide, level)], color=_faint(one.color), width=1)
        if len(points) > 1:
            group.line(points, color=one.color, width=1.6)
        for point in points:
            group.circle(point, 2.2, fill=one.color, stroke=one.color)
        _key(canvas, one, (x, y + high + 40 + 18 * number))


def _round_up(value: float) -> float:
    """The next number that four ticks divide into short ones."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** floor(log10(value))
    return next(step * scale for step in (1, 2, 4, 6, 8, 10) if step * scale >= value)


def _key(canvas: Canvas, one: _Drawn, at: Point) -> None:
    """What a curve is."""
    subject = one.one.subject
    canvas.line([(at[0], at[1] - 4), (at[0] + 22, at[1] - 4)], color=one.color, width=1.6)
    told = f"{subject.output} of {subject.label}, moved by {subject.unit}; the faint line is another input"
    canvas.text((at[0] + 30, at[1]), fitted(told, 11, _CHART[0] - 30), size=11)


def _faint(color: str) -> str:
    """A colour half way to white."""
    parts = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{(one + 255) // 2:02x}" for one in parts)
