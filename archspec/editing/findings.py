"""Diagnostics of a document as an editor shows them: each in the document, with the other places beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.diagnostics.model import Severity
from archspec.editing.places import Extent, Position, Spot, spot
from archspec.editing.state import State
from archspec.record import record
from archspec.text.nodes import MapNode, TextNode

_TOP = Extent(Position(0, 0), Position(0, 0))


@record
class TextFinding:
    """A diagnostic with its extent in the document. `message` has its notes and its help too.

    `related` are the other places, each with what is said there.
    """

    code: str
    severity: Severity
    message: str
    extent: Extent
    related: tuple[tuple[Spot, str], ...]
    diagnostic: Diagnostic


def findings(state: State) -> tuple[TextFinding, ...]:
    """What a check says of the text as it is, in its order."""
    return tuple(_finding(one, state) for one in state.findings)


def _finding(one: Diagnostic, state: State) -> TextFinding:
    return TextFinding(
        code=one.code,
        severity=one.severity,
        message="\n".join(_lines(one)),
        extent=_extent(one.primary, state),
        related=tuple(_related(one, state)),
        diagnostic=one,
    )


def _lines(one: Diagnostic) -> Iterator[str]:
    yield one.message
    if one.primary is not None and one.primary.text:
        yield one.primary.text
    yield from (f"note: {note}" for note in one.notes)
    if one.help:
        yield f"help: {one.help}"


def _extent(primary: Label | None, state: State) -> Extent:
    """Where the document shows a diagnostic: where it is, or the text that names its file, or the first line."""
    if primary is None:
        return _TOP
    if primary.span.source.name == state.file:
        return state.lines.extent(primary.span)
    own = state.now.own
    named = None if own is None else _naming(primary.span.source.name, own)
    return _TOP if named is None else state.lines.extent(named)


def _naming(file: str, own: MapNode) -> Span | None:
    """The text of a document that names a file: that of a layout, else `extends`, by which all others come."""
    weights, extends = own.get("weights"), own.get("extends")
    for entry in weights.entries if isinstance(weights, MapNode) else ():
        text = entry.value
        if isinstance(text, TextNode) and str(Path(text.span.source.name).parent / text.value) == file:
            return text.span
    return extends.span if isinstance(extends, TextNode) else None


def _related(one: Diagnostic, state: State) -> Iterator[tuple[Spot, str]]:
    """The secondary places, and first the primary one where it is in another file."""
    if one.primary is not None and one.primary.span.source.name != state.file:
        yield from _place(one.primary, one.message, state)
    for label in one.secondary:
        yield from _place(label, "here", state)


def _place(label: Label, otherwise: str, state: State) -> Iterator[tuple[Spot, str]]:
    name = label.span.source.name
    extent = state.lines.extent(label.span) if name == state.file else spot(label.span).extent
    yield Spot(os.path.normpath(name), extent), label.text or otherwise
