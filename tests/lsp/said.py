"""What `archspec check` says of a file, as a client should show it: worked out from the diagnostics alone."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types

from archspec.checking import check
from archspec.diagnostics import Diagnostic, Span, SpecError

Said = tuple[str, str, str, tuple[int, int, int, int] | None]
"""Code, severity, message, and lines and columns; None for a place outside of the file."""


def checked(path: Path) -> list[Said]:
    """What a check of a file says."""
    try:
        found = check(path).diagnostics
    except SpecError as error:
        found = error.diagnostics
    return [_said(one, path) for one in found]


def _said(one: Diagnostic, path: Path) -> Said:
    place = None
    if one.primary is not None and one.primary.span.source.name == str(path):
        place = _columns(one.primary.span)
    return one.code, one.severity, one.message, place


def _columns(span: Span) -> tuple[int, int, int, int]:
    """Lines and UTF-16 columns, counted character by character."""
    places = []
    for offset in (span.start, span.end):
        line = column = 0
        text = span.source.text
        for number, character in enumerate(text[:offset]):
            if character == "\n" or (character == "\r" and text[number + 1 : number + 2] != "\n"):
                line, column = line + 1, 0
            elif character == "\r":
                # The place between the two characters of a line break is the end of its line.
                column += 0
            else:
                column += 2 if ord(character) > 0xFFFF else 1
        places += [line, column]
    return tuple(places)


def shown(found: list[types.Diagnostic], wanted: list[Said]) -> list[Said]:
    """What a client shows, with no place where the check has none in the file."""
    severities = {types.DiagnosticSeverity.Error: "error", types.DiagnosticSeverity.Warning: "warning"}
    said = []
    for one, want in zip(found, wanted, strict=False):
        at = one.range
        place = (at.start.line, at.start.character, at.end.line, at.end.character)
        message = one.message[: len(want[2])]
        said.append((str(one.code), severities[one.severity], message, place if want[3] is not None else None))
    return said + [(str(one.code), "?", one.message, None) for one in found[len(wanted) :]]
