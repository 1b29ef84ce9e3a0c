"""Offsets in a text before and after it was edited."""

from __future__ import annotations


class TextShift:
    """Maps offsets between two texts that are the same before some place and after another."""

    def __init__(self, old: str, new: str) -> None:
        self._same = old == new
        self._before = len(old) if self._same else _common(old, new)
        most = min(len(old), len(new)) - self._before
        rest = 0 if self._same else _common(old[::-1][:most], new[::-1][:most])
        self._old, self._new = len(old) - rest, len(new) - rest

    def new(self, offset: int, *, starts: bool = False) -> int | None:
        """The offset in the new text of one in the old; None inside of what has changed.

        Where text was put in at the offset, what `starts` there comes after it, and what ends there before it.
        """
        if starts and offset >= self._old and not self._same:
            return offset - self._old + self._new
        return self._map(offset, self._old, self._new)

    def old(self, offset: int) -> int | None:
        """The offset in the old text of one in the new; None inside of what has changed."""
        return self._map(offset, self._new, self._old)

    def _map(self, offset: int, end: int, other: int) -> int | None:
        if self._same or offset <= self._before:
            return offset
        return offset - end + other if offset >= end else None


def _common(one: str, other: str) -> int:
    """The number of characters that two texts have in common at their start."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[:middle] == other[:middle]:
            least = middle
        else:
            most = middle - 1
    return least
