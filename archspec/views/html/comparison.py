"""Specs side by side."""

from __future__ import annotations

from archspec.views.comparison.compare import Comparison
from archspec.views.comparison.table import MEANINGS, Answer, Known, Section
from archspec.views.html.markup import Content, Html, figure, joined, name, table, tag
from archspec.views.html.verdicts import Kind, badge

_KINDS: dict[Known, Kind] = {
    "proved": "good",
    "violated": "bad",
    "not proved": "care",
    "counted": "plain",
    "measured": "plain",
    "none": "plain",
}


def comparison(found: Comparison) -> Html:
    """A table for each section, what its marks mean, and a picture of what was measured."""
    used = {one.known for section in found.sections for row in section.rows for one in row.answers if one.text}
    marks = [part for known, said in MEANINGS.items() if known in used for part in (tag("dt", known), tag("dd", said))]
    return joined(
        [_table(found, section) for section in found.sections],
        tag("dl", marks),
        tag("ul", [tag("li", name(note)) for note in found.notes]),
        _picture(found),
    )


def _table(found: Comparison, section: Section) -> Html:
    rows = [(name(row.text) if row.text else "", *map(_cell, row.answers)) for row in section.rows]
    return table(section.title, ("question", *map(name, found.labels)), rows, prose=range(1, len(found.labels) + 1))


def _cell(answer: Answer) -> Content:
    """An answer with how it is known; what does not apply has no mark."""
    if not answer.text:
        return ""
    mark = None if answer.known == "none" else badge(answer.known, _KINDS[answer.known])
    return joined(mark, " " if mark else None, name(answer.text))


def _picture(found: Comparison) -> Html | None:
    """Effective fields and deviations, where something was measured."""
    if all(one.measured is None for one in found.specs):
        return None
    # The picture needs NumPy, as what it shows did.
    from archspec.views.comparison.picture import picture

    label = f"Measured effective fields and deviations of {', '.join(found.labels)}"
    return figure(picture(found.specs), label, themed=False)
