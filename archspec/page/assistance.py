"""What the editor asks while one writes: what stands at a place, what may stand there, and how to mend a finding."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from archspec.diagnostics import Source
from archspec.editing import Document, Extent, Lines, Position


def hover(text: str, file: str, at: int) -> dict[str, Any] | None:
    """What is told of a place as `from`, `to` and `text`, which is Markdown; None where there is nothing to tell.

    Here and below `file` is the name of the file, and places count UTF-16 code units from the start of the text.
    """
    found = _document(text, file).hover(_position(text, at))
    return None if found is None else {**_range(text, found.extent), "text": found.text}


def completions(text: str, file: str, at: int) -> list[dict[str, Any]]:
    """What may be written at a place: `from`, `to`, `label`, `kind`, `detail`, `about`, and the `text` to write."""
    return [
        {
            **_range(text, one.extent),
            "label": one.label,
            "kind": one.kind,
            "detail": one.detail,
            "about": one.about,
            "text": one.text,
        }
        for one in _document(text, file).completions(_position(text, at))
    ]


def fixes(text: str, file: str, start: int, end: int) -> list[dict[str, Any]]:
    """Edits that mend a finding between two places: `title`, `from`, `to`, and the `text` to write there."""
    extent = Extent(_position(text, start), _position(text, end))
    return [
        {**_range(text, one.extent), "title": one.title, "text": one.text}
        for one in _document(text, file).fixes(extent)
    ]


@lru_cache(maxsize=1)
def _opened(file: str) -> Document:
    return Document(Path(file), "")


def _document(text: str, file: str) -> Document:
    """The file with a text; what its last text that could be read told is still known."""
    document = _opened(file)
    document.change(text)
    return document


def _position(text: str, at: int) -> Position:
    """A place as editors count it."""
    before = text.encode("utf-16-le", "surrogatepass")[: 2 * at].decode("utf-16-le", "replace")
    last = before.rpartition("\n")[2]
    return Position(before.count("\n"), _units(last))


def _range(text: str, extent: Extent) -> dict[str, int]:
    lines = Lines(Source("", text))
    return {key: _units(text[: lines.offset(place)]) for key, place in (("from", extent.start), ("to", extent.end))}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
