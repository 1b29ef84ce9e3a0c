"""The table of a comparison: sections of rows, a row for each question, a cell for each spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from archspec.record import record

Known = Literal["proved", "violated", "not proved", "counted", "measured", "none"]
MARKS: Mapping[Known, str] = {
    "proved": "P",
    "violated": "V",
    "not proved": "?",
    "counted": "C",
    "measured": "M",
    "none": "-",
}
"""How a cell is known, as the table shows it."""
MEANINGS: Mapping[Known, str] = {
    "proved": "proved for all weights, from what every op declares",
    "violated": "violated: the proof stops at this node, and a measured move shows the change",
    "not proved": "not proved: the proof stops at this node, and no measured move shows a change",
    "counted": "counted from the graph",
    "measured": "measured on the compiled module in float32",
    "none": "does not apply",
}


@record
class Answer:
    """A cell: the answer in words, how it is known, and the same as data for JSON."""

    text: str
    known: Known
    value: object = None


NOTHING = Answer(text="does not apply", known="none")


@record
class Question:
    """A row: a name for tools that never changes, the question in words, and an answer for each spec."""

    key: str
    text: str
    answers: tuple[Answer, ...]


@record
class Section:
    """Rows under one title; `key` names it for tools."""

    key: str
    title: str
    rows: tuple[Question, ...]
