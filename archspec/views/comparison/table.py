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


_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@record
class Answer:
    """A cell: the answer in words, how it is known, and the same as data for JSON."""

    text: str
    known: Known
    value: object = None


NOTHING = Answer(text="does not apply", known="none")


def counted(count: int, thing: str) -> str:
    """A number of things in words: `1 layer`, `2 layers`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def ordinal(number: int) -> str:
    """A place in a row in words: `1st`, `12th`. Stages are counted so, since a node may be called `stage1`."""
    last = 0 if 10 < number % 100 < 20 else number % 10
    return f"{number}{_ENDINGS.get(last, 'th')}"


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
