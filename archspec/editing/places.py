"""Places as editors count them: lines from 0, and columns from 0 in UTF-16 code units."""

from __future__ import annotations

from archspec.diagnostics import Source, Span
from archspec.record import record


@record(kw_only=False)
class Position:
    """A place between two characters: its line, and the UTF-16 code units before it in the line, both from 0."""

    line: int
    character: int


@record(kw_only=False)
class Extent:
    """The text from one place up to another."""

    start: Position
    end: Position


@record(kw_only=False)
class Spot:
    """An extent in a file, by the name of its source: a path, or the name of a text without one."""

    file: str
    extent: Extent


class Lines:
    """Converts between offsets in a source, in characters, and places.

    To an editor a byte order mark is a character of the first line, to a source it is none.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def place(self, offset: int) -> Position:
        """The place of an offset; one after the end of the text is that of the end."""
        line, column = self.source.position(min(max(offset, 0), len(self.source.text)))
        start = self.source.line_starts[line - 1]
        units = _units(self.source.text[start : start + column - 1])
        return Position(line - 1, units + self._mark(line - 1))

    def offset(self, place: Position) -> int:
        """The offset of a place; one after the end of its line is that of the end, one inside a character its start."""
        starts, text = self.source.line_starts, self.source.text
        if place.line >= len(starts):
            return len(text)
        line = self.source.line_text(place.line + 1)
        left = max(place.character - self._mark(place.line), 0)
        if line.isascii():
            return starts[place.line] + min(left, len(line))
        for number, character in enumerate(line):
            left -= _units(character)
            if left < 0:
                return starts[place.line] + number
        return starts[place.line] + len(line)

    def extent(self, span: Span) -> Extent:
        """The extent of a span of the source."""
        return Extent(self.place(span.start), self.place(span.end))

    def _mark(self, line: int) -> int:
        return 1 if self.source.marked and line == 0 else 0


def spot(span: Span) -> Spot:
    """Where a span is, in a file that the editor need not have open."""
    return Spot(span.source.name, Lines(span.source).extent(span))


def _units(text: str) -> int:
    """UTF-16 code units; a character beyond the basic plane takes two, a lone surrogate one."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
