"""Charts: grids of coloured cells with a legend, as text for a terminal and as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.record import record
from archspec.views.canvas import GREY, INK, Canvas
from archspec.views.fonts import fitted, width, wrapped

# All lengths are in pixels, except `_COLUMNS`, the width of the text in characters; every fourth position is numbered.
_CELL, _TICK, _DOT = 15.0, 8.0, 1.8
_MARGIN, _GAP = 20.0, 26.0
_WIDEST, _WIDEST_TITLE = 900.0, 340.0
_EVERY = 4
_COLUMNS = 100


@record(kw_only=False)
class Level:
    """The appearance of one kind of cell, as text and in colour, and its meaning for the legend.

    A `dotted` cell has a dot, which tells it from cells that differ in colour but hardly in brightness.
    """

    glyph: str
    color: str
    meaning: str
    dotted: bool = False


@record
class Panel:
    """One grid: `cells[row][column]` is the index of a level; `rows` and `columns` are the labels of its sides."""

    title: str
    cells: tuple[tuple[int, ...], ...]
    rows: str
    columns: str
    notes: tuple[str, ...] = ()


@record
class Chart:
    """Grids that share a legend; `notes` are written once, below it."""

    title: str
    about: str
    panels: tuple[Panel, ...]
    levels: tuple[Level, ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """The chart as text, with panels side by side up to a fixed number of columns."""
        # Trailing spaces of padded lines would show as differences in documents that contain the output.
        blocks = [_lines(panel, self.levels) for panel in self.panels]
        legend = "   ".join(f"{level.glyph} {level.meaning}" for level in self.levels)
        parts = [[self.title, *([self.about] if self.about else [])]]
        parts += [list(_beside(row)) for row in _rows_of_text(blocks)]
        parts += [[legend, *self.notes]]
        return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts)

    def svg(self) -> str:
        """The chart as an SVG document: panels in rows, the legend and the notes below."""
        rows = list(_rows([_size(panel)[0] for panel in self.panels]))
        heights = [max(_size(self.panels[k])[1] for k in row) for row in rows]
        inner = max(
            *(sum(_size(self.panels[k])[0] + _GAP for k in row) - _GAP for row in rows),
            *(width(line, 11) for line in (self.about, *self.notes)),
            width(self.title, 14, bold=True),
            sum(_CELL + 20 + width(level.meaning, 11) for level in self.levels),
        )
        below = 26 + 16 * len(self.notes)
        top = _MARGIN + 20 + (16 if self.about else 0) + 10
        canvas = Canvas.of_size(inner + 2 * _MARGIN, top + sum(h + _GAP for h in heights) + below, self.title)
        canvas.text((_MARGIN, _MARGIN + 12), self.title, size=14, bold=True)
        if self.about:
            canvas.text((_MARGIN, _MARGIN + 30), self.about, size=11, color=GREY)
        for row, height in zip(rows, heights, strict=True):
            x = _MARGIN
            for k in row:
                _draw(canvas, self.panels[k], self.levels, (x, top))
                x += _size(self.panels[k])[0] + _GAP
            top += height + _GAP
        self._legend(canvas, top - 6)
        return canvas.svg()

    def _legend(self, canvas: Canvas, y: float) -> None:
        """Draw the legend at a height, and the notes of the chart below it."""
        x = _MARGIN
        for level in self.levels:
            canvas.rect((x, y), 11, 11, fill=level.color, stroke=GREY)
            if level.dotted:
                canvas.circle((x + 5.5, y + 5.5), _DOT, fill=INK, stroke="")
            canvas.text((x + 17, y + 10), level.meaning, size=11)
            x += _CELL + 20 + width(level.meaning, 11)
        for number, note in enumerate(self.notes):
            canvas.text((_MARGIN, y + 30 + 16 * number), note, size=11, color=GREY)


def _size(panel: Panel) -> tuple[float, float]:
    """Width and height of a drawn panel, in pixels."""
    cells = len(panel.cells[0]) * _CELL
    # A long title widens its panel only up to a limit, beyond which it is shortened.
    title = width(panel.title, 12, bold=True)
    texts = max(title, *(width(line, 11) for line in (*panel.notes, panel.columns)))
    room = max(cells, min(_WIDEST_TITLE, texts))
    return room + 34, len(panel.cells) * _CELL + 62 + 15 * sum(len(wrapped(note, 11, room)) for note in panel.notes)


def _rows(widths: Sequence[float]) -> Iterator[list[int]]:
    """Indices of panels row by row; a row ends where the next panel would exceed the width."""
    row: list[int] = []
    taken = 0.0
    for number, one in enumerate(widths):
        if row and taken + one > _WIDEST:
            yield row
            row, taken = [], 0.0
        row.append(number)
        taken += one + _GAP
    yield row


def _draw(canvas: Canvas, panel: Panel, levels: Sequence[Level], at: tuple[float, float]) -> None:
    """Draw a panel with its upper left corner at a point: title, labels of the sides, cells, ticks and notes."""
    x, y = at[0] + 34, at[1] + 46
    room = _size(panel)[0] - 34
    canvas.text((x, at[1] + 10), fitted(panel.title, 12, room, bold=True), size=12, bold=True)
    canvas.text((x, at[1] + 28), fitted(panel.columns, 10, room), size=10, color=GREY)
    height = len(panel.cells) * _CELL
    words = fitted(panel.rows, 10, max(height, 40))
    canvas.text((at[0] + 10, y + height / 2), words, size=10, color=GREY, anchor="middle", turned=-90)
    grid = canvas.group(kind="cells", panel=panel.title)
    for row, cells in enumerate(panel.cells):
        for column, level in enumerate(cells):
            corner = (x + column * _CELL, y + row * _CELL)
            grid.rect(corner, _CELL - 1, _CELL - 1, fill=levels[level].color)
            if levels[level].dotted:
                grid.circle((corner[0] + _CELL / 2 - 0.5, corner[1] + _CELL / 2 - 0.5), _DOT, fill=INK, stroke="")
    for k in range(0, len(panel.cells[0]), _EVERY):
        canvas.text((x + k * _CELL + 7, y - 4), str(k), size=_TICK, color=GREY, anchor="middle")
    for k in range(0, len(panel.cells), _EVERY):
        canvas.text((x - 4, y + k * _CELL + 10), str(k), size=_TICK, color=GREY, anchor="end")
    lines = [line for note in panel.notes for line in wrapped(note, 11, room)]
    for number, line in enumerate(lines):
        canvas.text((x, y + height + 16 + 15 * number), line, size=11, color=INK)


def _lines(panel: Panel, levels: Sequence[Level]) -> list[str]:
    """A panel as lines of text, padded to the same length."""
    ticks = "".join(f"{k:<{2 * _EVERY}}" for k in range(0, len(panel.cells[0]), _EVERY))
    found = [panel.title, f"    {panel.columns}", f"    {ticks}"]
    for number, row in enumerate(panel.cells):
        head = f"{number:>3}" if number % _EVERY == 0 else "   "
        found.append(f"{head} {' '.join(levels[cell].glyph for cell in row)}")
    found += [f"    {panel.rows}", *(f"    {note}" for note in panel.notes)]
    longest = max(map(len, found))
    return [line.ljust(longest) for line in found]


def _rows_of_text(blocks: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """Blocks of lines row by row; a row ends where the next block would exceed `_COLUMNS`."""
    row: list[list[str]] = []
    for block in blocks:
        if row and sum(len(one[0]) + 3 for one in row) + len(block[0]) > _COLUMNS:
            yield row
            row = []
        row.append(block)
    yield row


def _beside(blocks: Sequence[list[str]]) -> Iterator[str]:
    """The lines of blocks side by side; shorter blocks are filled up with spaces."""
    height = max(map(len, blocks))
    for number in range(height):
        yield "   ".join(block[number] if number < len(block) else " " * len(block[0]) for block in blocks)
