"""Quick fixes: the help of a diagnostic as an edit, offered only where the diagnostic is then gone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from archspec.diagnostics import Diagnostic, Span
from archspec.editing.findings import TextFinding, findings
from archspec.editing.library import Library
from archspec.editing.places import Extent, Position
from archspec.editing.state import State
from archspec.record import record

_MEANT = re.compile(r"did you mean `([^`]+)`\?")
_LISTED = re.compile(r"available \w+(?: \w+)?: (`[^`]+`(?:, `[^`]+`)*)")
_WRITE = re.compile(r"(?:write|declare) `([^`]*)`(?: without brackets|, without leading zeros| if that is intended)?")
_NUMBER = re.compile(r"write (\d+)(?: if the architecture is as intended)?")
_QUOTE = re.compile(r'quote it[:,] ("[^"]*")')
_TOKEN = re.compile(r"[\w.]+")
_MOST = 6
"""The most edits that are tried for one diagnostic: each is checked."""


@record(kw_only=False)
class Fix:
    """An edit of the document that mends a finding; `title` says what it does."""

    title: str
    finding: TextFinding
    extent: Extent
    text: str


@record(kw_only=False)
class _Trial:
    """A text in place of a span, as the help of a diagnostic proposes it."""

    title: str
    span: Span
    text: str


class Fixes:
    """The fixes of the findings of one check. Each is found once: to try an edit takes a check."""

    def __init__(self, state: State, library: Library) -> None:
        self._state = state
        self._library = library
        self._found = findings(state)
        self._known: dict[int, tuple[Fix, ...]] = {}

    def at(self, extent: Extent) -> tuple[Fix, ...]:
        """The fixes of all findings that touch an extent, in the order of the findings."""
        touched = (number for number, one in enumerate(self._found) if _touches(one.extent, extent))
        return tuple(fix for number in touched for fix in self._of(number))

    def _of(self, number: int) -> tuple[Fix, ...]:
        if number not in self._known:
            self._known[number] = tuple(_fixes(self._state, self._found[number], self._library))
        return self._known[number]


def _fixes(state: State, finding: TextFinding, library: Library) -> Iterator[Fix]:
    primary = finding.diagnostic.primary
    if primary is None or primary.span.source.name != state.file:
        return
    trials = dict.fromkeys(_trials(finding.diagnostic, primary.span, state))
    for trial in list(trials)[:_MOST]:
        if _mends(trial, finding.diagnostic, state, library):
            yield Fix(trial.title, finding, state.lines.extent(trial.span), trial.text)


def _trials(one: Diagnostic, span: Span, state: State) -> Iterator[_Trial]:
    """What the help proposes, the most likely first."""
    help = one.help or ""
    if found := _MEANT.search(help):
        yield from _replaced(_near(found[1], state.file), span)
    elif found := _LISTED.fullmatch(help):
        for word in re.findall(r"`([^`]+)`", found[1]):
            yield from _replaced(word, span)
    elif found := _QUOTE.match(help):
        yield _Trial(f"quote it: {found[1]}", span, found[1])
    elif (found := _WRITE.fullmatch(help)) or (found := _NUMBER.fullmatch(help)):
        yield from _replaced(found[1], span)
    elif one.code == "E116":
        end = span.end + 1 if state.lines.source.text[span.end : span.end + 1] == ":" else span.end
        yield _Trial("write `none`", state.lines.source.span(end, end), " none")
    elif one.code == "E118":
        yield from _spaced(span)
    elif help.startswith("remove it") or help == "remove this line":
        rest = state.lines.source.text[span.end :]
        blanks = len(rest) - len(rest.lstrip(" "))
        yield _Trial(f"remove `{span.text}`", state.lines.source.span(span.start, span.end + blanks), "")
    elif help == "use spaces":
        yield _Trial("use spaces", span, "  " * len(span.text))


def _replaced(text: str, span: Span) -> Iterator[_Trial]:
    """A text in place of the marked one, or of the whole word or line of text that it is in."""
    title = f"write `{text}`"
    yield _Trial(title, span, text)
    source = span.source
    for found in _TOKEN.finditer(source.text, source.line_starts[span.line - 1]):
        if found.start() > span.start:
            break
        if found.end() >= span.end and found.span() != (span.start, span.end):
            yield _Trial(title, source.span(*found.span()), text)
    line = source.line_text(span.line)
    start = source.line_starts[span.line - 1]
    value = line.find(": ") + 2
    if 1 < value <= span.start - start:
        yield _Trial(title, source.span(start + value, start + len(line.rstrip())), text)


def _spaced(span: Span) -> Iterator[_Trial]:
    """A space after the colon at the end of the marked text, or just behind it."""
    for place in (span.end, span.end + 1, span.start + span.text.find(":") + 1):
        yield _Trial("write a space after the colon", span.source.span(place, place), " ")


def _near(file: str, own: str) -> str:
    """A path as the document would write it; another text as it is."""
    if not Path(file).is_absolute():
        return file
    try:
        return Path(os.path.relpath(file, Path(own).parent)).as_posix()
    except ValueError:
        return file


def _mends(trial: _Trial, one: Diagnostic, state: State, library: Library) -> bool:
    """Whether a finding is gone after an edit, and nothing else of its kind came in its place."""
    source = state.lines.source
    changed = replace(source, text=source.text[: trial.span.start] + trial.text + source.text[trial.span.end :])
    tried = Library(library.desk.with_texts({Path(state.file): changed.whole})).analysis(Path(state.file))
    count = sum(found.code == one.code for found in state.findings)
    return sum(found.code == one.code for found in tried.findings) < count


def _touches(one: Extent, other: Extent) -> bool:
    return _key(one.start) <= _key(other.end) and _key(other.start) <= _key(one.end)


def _key(place: Position) -> tuple[int, int]:
    return place.line, place.character
