"""Layout of one source line: clipped, printable, with marks under the right characters."""

from __future__ import annotations

import unicodedata

from archspec.diagnostics.source import Span
from archspec.record import record

# Longer lines are clipped, with so many characters before the marked place.
MAX_WIDTH = 140
_CONTEXT = 60


@record
class Excerpt:
    """The part of a line that is shown: characters `first` up to `last` of `text`."""

    text: str
    first: int
    last: int

    @property
    def shown(self) -> str:
        """The excerpt as printed, with `...` where it was cut."""
        left = "..." if self.first > 0 else ""
        right = "..." if self.last < len(self.text) else ""
        return left + printable(self.text[self.first : self.last]) + right

    def marks(self, start: int, end: int, mark: str) -> str:
        """The line of marks under the excerpt: spaces up to character offset `start`, then marks up to `end`.

        At least one mark is drawn; offsets outside the excerpt are clipped to it.
        """
        start = min(max(start, self.first), self.last)
        end = min(max(end, start), self.last)
        indent = _width(self.text[self.first : start]) + (3 if self.first > 0 else 0)
        return " " * indent + mark * max(_width(self.text[start:end]), 1)


def excerpt(text: str, focus: int) -> Excerpt:
    """The part of a line to show, around character offset `focus` when the line is long."""
    if len(text) <= MAX_WIDTH:
        return Excerpt(text=text, first=0, last=len(text))
    first = max(min(focus - _CONTEXT, len(text) - MAX_WIDTH), 0)
    return Excerpt(text=text, first=first, last=min(first + MAX_WIDTH, len(text)))


def columns(span: Span, line: int) -> tuple[int, int]:
    """The character offsets (start, end) that a span covers in its first line, `line`.

    A span of several lines covers the rest of its first one.
    """
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == line else len(span.source.line_text(line))
    return start, end


def printable(text: str) -> str:
    """The text with control characters written as escapes, so that none reaches a terminal; tabs become spaces."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    """A character as it is printed: an escape if it could disturb the terminal."""
    if character == "\t":
        return " "
    # surrogates, controls, formatting (bidirectional overrides) and line separators can disturb a terminal
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        code = ord(character)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return character


def _width(text: str) -> int:
    """The number of terminal cells of a text; wide East Asian characters take two, combining ones none."""
    return sum(_cells(character) for character in printable(text))


def _cells(character: str) -> int:
    """The number of terminal cells of a character."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
