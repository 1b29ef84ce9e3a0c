"""Attention weights as heat maps: a large one for the mean over heads, small ones for each head, and a scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from archspec.record import record
from archspec.views.canvas import FAINT, GREY, Canvas
from archspec.views.fonts import fitted, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEVELS = 64
"""The number of shades for weights from 0 to the largest weight."""
_STOPS = ((255, 255, 255), (222, 235, 247), (158, 202, 225), (66, 146, 198), (8, 81, 156), (8, 38, 92))
_MARGIN, _GAP = 24.0, 18.0
_LONGEST_LABEL = 90.0
_LARGE, _SMALL = 420.0, 150.0


@record(eq=False)
class AttentionMap:
    """Attention weights of one batch row with a label for each position, as `archspec.attend` returns them.

    `weights` is [heads, queries, keys], after softmax; the row of a query without keys is zero. `path` is that of the
    attention, with all layer numbers. `unproved` lists the faults of a spec that was accepted with `unproved=True`.
    """

    name: str
    path: str
    weights: Array
    query_labels: tuple[str, ...]
    key_labels: tuple[str, ...]
    unproved: tuple[str, ...] = ()

    def svg(self) -> str:
        """The SVG document with a heat map of the mean over heads, and one of each head if there are several."""
        return heat_map(self)


def shade(level: int) -> str:
    """The colour of a level from 0 to `LEVELS - 1`: white for 0, darker for higher levels."""
    place = level / (LEVELS - 1) * (len(_STOPS) - 1)
    low = min(int(place), len(_STOPS) - 2)
    part = place - low
    # Linear interpolation between the two nearest stops; 64 shades keep the number of different colours small.
    mixed = (round(a + (b - a) * part) for a, b in zip(_STOPS[low], _STOPS[low + 1], strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def level_of(weight: float, most: float) -> int:
    """The level of a weight on a linear scale from 0 to the largest weight, `most`."""
    return 0 if most <= 0 else min(LEVELS - 1, round(weight / most * (LEVELS - 1)))


def heat_map(found: AttentionMap) -> str:
    """The SVG document of an attention map."""
    return _Sheet(found).svg()


class _Sheet:
    """One document: title, mean with labels at the left, heads in rows at the right, scale below."""

    def __init__(self, found: AttentionMap) -> None:
        self.found = found
        heads, queries, keys = found.weights.shape
        # One scale for all maps: shades of different heads can be compared.
        self.mean, self.most = found.weights.mean(0), float(found.weights.max(initial=0.0))
        self.heads, self.across = heads, max(2, ceil(sqrt(heads)))
        self.cell = _cell(max(queries, keys), _LARGE, 26.0)
        self.small = _cell(max(queries, keys), _SMALL, 12.0)
        self.left = max((width(label, self.font) for label in found.query_labels), default=0.0)
        self.left = min(self.left, _LONGEST_LABEL) + 20
        self.over = min(max((width(label, self.font) for label in found.key_labels), default=0.0), _LONGEST_LABEL) + 26
        self.size = (keys * self.cell, queries * self.cell)
        self.tile = (keys * self.small + _GAP, queries * self.small + _GAP + 14)

    @property
    def font(self) -> float:
        """Font size of labels: as large as cells allow, within limits."""
        return max(5.0, min(11.0, self.cell - 1.5))

    def svg(self) -> str:
        """The complete document."""
        found = self.found
        title = f"Attention of {found.path} in {found.name}"
        about = f"weights after softmax, {self.heads} head{'s' * (self.heads != 1)}; rows are queries, columns keys"
        rows = -(-self.heads // self.across)
        grid = min(self.heads, self.across) * self.tile[0] if self.heads > 1 else 0.0
        top = _MARGIN + 46
        wide = max(self.left + self.size[0] + 30 + grid, width(title, 14, bold=True), width(about, 11))
        high = max(self.over + self.size[1], (rows * self.tile[1] if self.heads > 1 else 0.0) + 20)
        canvas = Canvas.of_size(wide + 2 * _MARGIN, top + high + 60, title)
        canvas.text((_MARGIN, _MARGIN + 12), title, size=14, bold=True)
        canvas.text((_MARGIN, _MARGIN + 30), about, size=11, color=GREY)
        self._mean(canvas, (_MARGIN + self.left, top + self.over))
        if self.heads > 1:
            self._heads(canvas, (_MARGIN + self.left + self.size[0] + 36, top + 14))
        self._scale(canvas, (_MARGIN + self.left, top + high + 24))
        return canvas.svg()

    def _mean(self, canvas: Canvas, at: tuple[float, float]) -> None:
        """Draw the mean over heads, with the labels of queries on the left and of keys above."""
        x, y = at
        _cells(canvas, "mean", self.mean, self.most, self.cell, at)
        canvas.rect(at, *self.size, fill="none", stroke=FAINT)
        words = "mean over heads" if self.heads > 1 else "the one head"
        canvas.text((x, y + self.size[1] + 14), words, size=10, color=GREY)
        group = canvas.group(kind="labels")
        for number, label in enumerate(self.found.query_labels):
            high = y + (number + 0.5) * self.cell + self.font * 0.35
            group.text((x - 6, high), self._label(label), size=self.font, anchor="end")
        for number, label in enumerate(self.found.key_labels):
            right = x + (number + 0.5) * self.cell + self.font * 0.35
            group.text((right, y - 6), self._label(label), size=self.font, turned=-90)

    def _label(self, label: str) -> str:
        return fitted(label, self.font, _LONGEST_LABEL)

    def _heads(self, canvas: Canvas, at: tuple[float, float]) -> None:
        """Draw the weights of each head as a small map, on the scale that all maps share."""
        for head in range(self.heads):
            x, y = at[0] + head % self.across * self.tile[0], at[1] + head // self.across * self.tile[1]
            canvas.text((x, y - 4), f"head {head}", size=9, color=GREY)
            _cells(canvas, f"head {head}", self.found.weights[head], self.most, self.small, (x, y))
            canvas.rect((x, y), self.tile[0] - _GAP, self.tile[1] - _GAP - 14, fill="none", stroke=FAINT)

    def _scale(self, canvas: Canvas, at: tuple[float, float]) -> None:
        """Draw the colour scale from 0 to the largest weight."""
        x, y = at
        step = 160 / LEVELS
        group = canvas.group(kind="scale", rendering="crispEdges")
        for level in range(LEVELS):
            # The overlap leaves no gaps between shades.
            group.rect((x + level * step, y), step + 0.5, 10, fill=shade(level))
        canvas.rect((x, y), 160, 10, fill="none", stroke=FAINT)
        canvas.text((x, y + 23), "0", size=10, color=GREY)
        canvas.text((x + 160, y + 23), f"{self.most:.3g}, the largest weight", size=10, color=GREY, anchor="middle")


def _cell(count: int, room: float, most: float) -> float:
    """The side of a cell in whole pixels, at least 1 and at most `most`, so that `count` cells fill the room."""
    return max(1.0, min(most, float(int(room / max(count, 1)))))


def _cells(canvas: Canvas, name: str, weights: Array, most: float, cell: float, at: tuple[float, float]) -> None:
    """Draw rows of cells. Neighbours of one shade are merged and white cells omitted, to keep the document small."""
    group = canvas.group(kind="cells", panel=name, rendering="crispEdges")
    for number, row in enumerate(weights):
        for start, length, level in _runs([level_of(float(weight), most) for weight in row]):
            if level:
                corner = (at[0] + start * cell, at[1] + number * cell)
                group.rect(corner, length * cell, cell, fill=shade(level))


def _runs(levels: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Runs of equal levels: start, length and level."""
    start = 0
    for level, group in groupby(levels):
        length = len(list(group))
        yield start, length, level
        start += length
