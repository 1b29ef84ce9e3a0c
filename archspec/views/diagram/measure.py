"""Sizes of parts in a diagram, in pixels."""

from __future__ import annotations

from archspec.record import record
from archspec.views.diagram.plan import DiagramPart
from archspec.views.fonts import fitted, width, wrapped

# Font sizes, line heights and lengths, in pixels.
TITLE, NOTE, ASIDE = 12.0, 10.0, 10.0
TITLE_LINE, NOTE_LINE = 15.0, 12.5
PAD = 9.0
CIRCLE = 9.0
THUMB_CELL = 3.0
FRAME = 12.0
TIMES = 40.0
_NARROWEST, _WIDEST = 130.0, 250.0


@record(kw_only=False)
class Size:
    """Width and height."""

    width: float
    height: float


def thumb_side(part: DiagramPart) -> float:
    """The side of the small picture of a mask, including the space before it; 0 without a mask."""
    return 0.0 if part.mask is None else max(len(part.mask.cells), len(part.mask.cells[0])) * THUMB_CELL + PAD


def title_of(part: DiagramPart) -> str:
    """The full title of a box, with the number of repetitions."""
    return f"{part.times} × {part.title}" if part.times > 1 else part.title


def notes_of(part: DiagramPart) -> list[str]:
    """The notes of a box, wrapped to its largest width."""
    room = _WIDEST - 2 * PAD - thumb_side(part)
    return [line for note in part.notes for line in wrapped(note, NOTE, room)]


def box_title(part: DiagramPart) -> str:
    """The title of a box, shortened to its largest width."""
    return fitted(title_of(part), TITLE, _WIDEST - 2 * PAD - thumb_side(part), bold=True)


def size_of(part: DiagramPart) -> Size:
    """The size of a part whose inside is not drawn."""
    if part.role in ("sum", "product"):
        return Size(2 * CIRCLE, 2 * CIRCLE)
    if part.role == "aside":
        # An aside has a single line: it is placed beside its reader, where there is no room for notes.
        return Size(width(fitted(part.title, ASIDE, _WIDEST), ASIDE) + 2 * PAD, 24.0)
    notes = notes_of(part)
    texts = [width(box_title(part), TITLE, bold=True), *(width(note, NOTE) for note in notes)]
    high = TITLE_LINE + NOTE_LINE * len(notes)
    if part.role in ("input", "output"):
        return Size(max(texts), high + 2)
    thumb = thumb_side(part)
    wide = max(_NARROWEST, max(texts) + 2 * PAD + thumb)
    return Size(wide, max(high + 11, thumb + PAD if thumb else 0.0))
