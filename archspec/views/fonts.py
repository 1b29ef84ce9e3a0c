"""Text widths, as an upper estimate, so that text fits its box in any of the usual sans-serif fonts of a viewer."""

from __future__ import annotations

from bisect import bisect_right

FAMILY = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

# Advance widths of the characters from U+0020 on, in thousandths of the size: of each the larger of DejaVu Sans and
# Arial, whose figures are those of Helvetica and Liberation Sans.
_REGULAR = (
    *(318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636),
    *(636, 636, 636, 636, 337, 337, 838, 838, 838, 556, 1015, 684, 686, 722, 770, 667, 611, 778, 752, 295, 500, 667),
    *(557, 863, 748, 787, 667, 787, 722, 667, 611, 732, 684, 989, 685, 667, 685, 390, 337, 390, 838, 556, 500, 613),
    *(635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818),
    *(592, 592, 525, 636, 337, 636, 838),
)
_BOLD = (
    *(348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696),
    *(696, 696, 696, 696, 400, 400, 838, 838, 838, 580, 1015, 774, 762, 734, 830, 683, 683, 821, 837, 372, 500, 775),
    *(637, 995, 837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 556, 500, 675),
    *(716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924),
    *(645, 652, 582, 712, 365, 712, 838),
)
_KNOWN = {
    "×": 838,
    "·": 380,
    "→": 1000,
    "←": 1000,
    "–": 500,
    "…": 1000,
    "√": 667,
    "≤": 838,
    "≥": 838,
    "≠": 838,
    "−": 838,
}
# Wider than any character of these fonts.
_WIDEST = 1600
_FIRST = 0x20


def width(text: str, size: float, *, bold: bool = False) -> float:
    """An upper estimate of the width of a text at a font size, in the unit of the size."""
    table = _BOLD if bold else _REGULAR
    return sum(_advance(character, table) for character in text) * size / 1000


def _advance(character: str, table: tuple[int, ...]) -> int:
    """The advance width of a character in thousandths of the font size."""
    # Unknown characters count as very wide, so that the estimate is not too small.
    place = ord(character) - _FIRST
    return table[place] if 0 <= place < len(table) else _KNOWN.get(character, _WIDEST)


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, shortened with an ellipsis if it is wider than `room`."""
    if width(text, size, bold=bold) <= room:
        return text
    # Bisection: a line of a file may have any length, and no character has a negative width.
    fits = bisect_right(range(len(text)), room, key=lambda count: width(f"{text[:count]}…", size, bold=bold))
    return f"{text[: max(0, fits - 1)].rstrip()}…"


def wrapped(text: str, size: float, room: float) -> list[str]:
    """The text wrapped at spaces to lines of width `room`; a word that is too long for a line is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, size, room))
    return lines
