"""Source text and places in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from archspec.record import record

_LINE_BREAK = r"\r\n|\n|\r"
_BYTE_ORDER_MARK = "\ufeff"


@record(kw_only=False)
class Source:
    """A named text: a file, or the command line under the name `--set`.

    `marked` says that a byte order mark stands before the text, which is no part of it. `called` is what a user calls
    the file where that is not its path, which files that ship with the package have.
    """

    name: str
    text: str
    marked: bool = False
    called: str = ""

    @classmethod
    def of(cls, name: str, text: str, called: str = "") -> Source:
        """The source of a text that may begin with a byte order mark."""
        return cls(name, text.removeprefix(_BYTE_ORDER_MARK), text.startswith(_BYTE_ORDER_MARK), called)

    @property
    def whole(self) -> str:
        """The text with its byte order mark."""
        return _BYTE_ORDER_MARK + self.text if self.marked else self.text

    @property
    def shown(self) -> str:
        """What a user is shown as its name."""
        return self.called or self.name

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first character of every line."""
        return (0, *(found.end() for found in re.finditer(_LINE_BREAK, self.text)))

    @property
    def is_file(self) -> bool:
        """Whether the text comes from a file; false for a command-line option, whose name begins with `--`."""
        return not self.name.startswith("--")

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1 in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The text of a line, counted from 1, without its line break."""
        start = self.line_starts[line - 1]
        end = self.line_starts[line] if line < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """The span between two character offsets."""
        return Span(self, start, end)


@record(kw_only=False)
class Span:
    """The characters from offset `start` up to, not including, offset `end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character, counted from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, counted from 1 in characters."""
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        """Line just after the last character, counted from 1."""
        return self.source.position(self.end)[0]

    @property
    def end_column(self) -> int:
        """Column just after the last character, counted from 1 in characters."""
        return self.source.position(self.end)[1]

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of another in the same source."""
        # Either of the two may contain the other.
        return Span(self.source, self.start, max(self.end, other.end))
