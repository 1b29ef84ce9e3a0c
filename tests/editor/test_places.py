"""Offsets and places: lines as the protocol ends them, columns in UTF-16."""

from __future__ import annotations

import pytest

from archspec.diagnostics import Source
from archspec.editing import Lines, Position
from archspec.editing.shift import TextShift


def expected(text: str) -> dict[int, tuple[int, int]]:
    """The place of every offset that is not inside a line break, by one walk over the UTF-16 units."""
    places, line, column, number = {}, 0, 0, 0
    while number < len(text):
        places[number] = (line, column)
        ending = next((one for one in ("\r\n", "\n", "\r") if text.startswith(one, number)), "")
        if ending:
            line, column, number = line + 1, 0, number + len(ending)
        else:
            column += len(text[number].encode("utf-16-le", "surrogatepass")) // 2
            number += 1
    return {**places, len(text): (line, column)}


@pytest.mark.parametrize(
    "text",
    ["", "a", "a\nb", "a\r\nb\rc\n", "é 𝒳x\n😀😀 y\u2028z\x85w\x0cq\n", "\ud800a\n", "e\u0301\n日本\n"],
)
def test_places_and_offsets(text: str) -> None:
    lines = Lines(Source("", text))
    for offset, (line, column) in expected(text).items():
        assert lines.place(offset) == Position(line, column)
        assert lines.offset(Position(line, column)) == offset


def test_places_outside_and_inside_of_characters_are_taken_to_be_near() -> None:
    lines = Lines(Source("", "a😀b\nc"))
    assert lines.offset(Position(0, 2)) == 1
    assert lines.offset(Position(0, 99)) == 3
    assert lines.offset(Position(9, 0)) == 5
    assert lines.place(99) == Position(1, 1)


def test_a_byte_order_mark_takes_a_column_that_a_source_does_not_have() -> None:
    lines = Lines(Source.of("", "\ufeffa: 1\nb"))
    assert lines.place(0) == Position(0, 1)
    assert lines.offset(Position(0, 1)) == 0
    assert lines.offset(Position(0, 0)) == 0
    assert lines.place(5) == Position(1, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [("abc", "abc"), ("abc", "abXc"), ("abcd", "ad"), ("aaaa", "aa"), ("", "ab"), ("ab", ""), ("abab", "ababab")],
)
def test_a_shift_keeps_characters(old: str, new: str) -> None:
    shift = TextShift(old, new)
    kept = 0
    for offset in range(len(old)):
        there = shift.new(offset)
        if there is not None and shift.new(offset + 1) == there + 1:
            assert old[offset] == new[there]
            kept += 1
    assert kept >= min(len(old), len(new)) - 1
    assert shift.new(len(old), starts=True) == len(new)
    assert shift.new(0) == 0
    assert [shift.old(place) for place in map(shift.new, range(len(old) + 1)) if place is not None]
