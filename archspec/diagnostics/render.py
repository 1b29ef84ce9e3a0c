"""Render diagnostics as text for people, in the layout of rustc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.diagnostics.layout import columns, excerpt, printable
from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.source import Source
from archspec.record import record

_ANSI = {
    "error": "1;31",
    "warning": "1;33",
    "message": "1",
    "frame": "1;34",
    "secondary": "1;34",
    "help": "1;32",
}


@record
class _Mark:
    """A label with its role, which gives its colour; the primary label is underlined with carets."""

    label: Label
    primary: bool
    role: str


@record
class _Style:
    """Whether parts of the output are coloured."""

    color: bool

    def paint(self, role: str, text: str) -> str:
        return f"\x1b[{_ANSI[role]}m{text}\x1b[0m" if self.color and text else text


def render(diagnostics: Diagnostic | Iterable[Diagnostic], *, color: bool = False) -> str:
    """Render one or more diagnostics, with a blank line between them and a line break at the end.

    Each has its code and message, file:line:column, the source lines with carets under the primary place and dashes
    under the others, then notes and help. `color` adds ANSI colours. No control character of a source is printed.
    """
    several = (diagnostics,) if isinstance(diagnostics, Diagnostic) else diagnostics
    style = _Style(color=color)
    return "\n".join("".join(f"{line}\n" for line in _lines(found, style)) for found in several)


def _lines(found: Diagnostic, style: _Style) -> Iterator[str]:
    """The lines of one diagnostic."""
    head = style.paint(found.severity, f"{found.severity}[{found.code}]")
    yield head + style.paint("message", f": {printable(found.message)}")
    marks = _marks(found)
    spans = [mark.label.span for mark in marks]
    # One margin for all sources of a diagnostic, so that their bars are aligned.
    margin = " " * max((len(_number(span.source, span.line)) for span in spans), default=0)
    for position, source in enumerate(dict.fromkeys(span.source for span in spans)):
        here = [mark for mark in marks if mark.label.span.source == source]
        yield from _source_lines(source, here, margin, first=position == 0, style=style)
    footer = [*(("note", note) for note in found.notes), *([("help", found.help)] if found.help else [])]
    if marks and footer:
        yield margin + style.paint("frame", " |")
    for word, text in footer:
        sign = style.paint("frame", " = ") if marks else "  = "
        yield (margin + sign + style.paint("help" if word == "help" else "message", f"{word}: ") + printable(text))


def _marks(found: Diagnostic) -> list[_Mark]:
    """The labels of a diagnostic with their roles, the primary one first."""
    marks = [_Mark(label=label, primary=False, role="secondary") for label in found.secondary]
    if found.primary is not None:
        marks.insert(0, _Mark(label=found.primary, primary=True, role=found.severity))
    return marks


def _source_lines(source: Source, marks: list[_Mark], margin: str, *, first: bool, style: _Style) -> Iterator[str]:
    """The lines of one source: its place, and every marked line with its marks."""
    bar = margin + style.paint("frame", " |")
    lead = next((mark for mark in marks if mark.primary), marks[0]).label.span
    if not first:
        yield bar
    place = f"{source.shown}:{lead.line}:{lead.column}" if source.is_file else source.shown
    yield margin + style.paint("frame", "--> " if first else "::: ") + printable(place)
    yield bar
    previous = None
    for line in sorted({mark.label.span.line for mark in marks}):
        if previous is not None and line > previous + 1:
            yield style.paint("frame", "...")
        previous = line
        on_line = [mark for mark in marks if mark.label.span.line == line]
        yield from _marked_line(source, line, on_line, margin, style)


def _marked_line(source: Source, line: int, marks: list[_Mark], margin: str, style: _Style) -> Iterator[str]:
    """A source line, followed by one line per mark."""
    lead = next((mark for mark in marks if mark.primary), marks[0])
    shown = excerpt(source.line_text(line), lead.label.span.column - 1)
    number = _number(source, line).rjust(len(margin))
    yield f"{style.paint('frame', f'{number} |')} {shown.shown}".rstrip()
    for mark in sorted(marks, key=lambda mark: mark.label.span.start):
        start, end = columns(mark.label.span, line)
        drawn = f"{shown.marks(start, end, '^' if mark.primary else '-')} {printable(mark.label.text)}".rstrip()
        indent = len(drawn) - len(drawn.lstrip(" "))
        yield (margin + style.paint("frame", " |") + " " * (indent + 1) + style.paint(mark.role, drawn[indent:]))


def _number(source: Source, line: int) -> str:
    """The line number in the margin; blank for a command-line option, which has a single line."""
    return str(line) if source.is_file else " "
