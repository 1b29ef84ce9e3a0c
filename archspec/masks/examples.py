"""Values of controls that make a mask visible in a picture."""

from __future__ import annotations

PARTS = 3


def valid(count: int, longest: int, padding: str) -> list[int]:
    """One in four positions is padding."""
    padded = count // 4
    row = [1] * (count - padded) + [0] * padded
    return row[::-1] if padding == "left" else row


def chosen(count: int, longest: int, padding: str) -> list[int]:
    """The first position and the middle one are chosen."""
    return [int(k in (0, count // 2)) for k in range(count)]


def segments(count: int, longest: int, padding: str) -> list[int]:
    """Three segments of about one length."""
    return [k * PARTS // count for k in range(count)]


def prefix(count: int, longest: int, padding: str) -> list[int]:
    """A third of the positions."""
    return [max(1, longest // PARTS)] * count
