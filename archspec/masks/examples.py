"""Values of controls that make a mask visible in a picture.

Each function takes the number of positions, the longest axis and the padding, and returns one value a position.
"""

from __future__ import annotations

PARTS = 3


def valid(count: int, longest: int, padding: str) -> list[int]:
    """A quarter of the positions is padding, at the left for `left` and otherwise at the right."""
    padded = count // 4
    # True is valid, so the padding is the zeros.
    row = [1] * (count - padded) + [0] * padded
    return row[::-1] if padding == "left" else row


def chosen(count: int, longest: int, padding: str) -> list[int]:
    """The first and the middle position are true."""
    return [int(k in (0, count // 2)) for k in range(count)]


def segments(count: int, longest: int, padding: str) -> list[int]:
    """Three segments of nearly equal length."""
    return [k * PARTS // count for k in range(count)]


def prefix(count: int, longest: int, padding: str) -> list[int]:
    """A prefix of a third of the longest axis."""
    return [max(1, longest // PARTS)] * count
