"""Placement of parts: columns side by side, each from the bottom up; the inside of opened parts is laid out first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from archspec.views.diagram.lanes import folded, lanes
from archspec.views.diagram.layout import Box, PlacedDiagram, TypeLabel
from archspec.views.diagram.measure import FRAME, NOTE, TIMES, Size, size_of
from archspec.views.diagram.placing import FORK, Placing, SizedPart
from archspec.views.diagram.plan import DiagramPart, DiagramPlan
from archspec.views.diagram.route import routed
from archspec.views.fonts import width, wrapped

_GAP, _LABEL_LINE = 17.0, 13.0
_HEADER_LINE, _HEADER_ROOM = 12.0, 118.0
_TALLEST, _TALLEST_INSIDE = 1100.0, 640.0
# A column is cut into at most three pieces, and only if the diagram gets at least a quarter less tall.
_MOST_PIECES, _WORTH = 3, 0.75
_MOST_PLACES = 60


def laid_out(plan: DiagramPlan, *, top: bool = False) -> PlacedDiagram:
    """The layout of a plan.

    A single column that is too tall is folded into several.

    Args:
        plan: the plan.
        top: whether this is the whole diagram, which may be taller and has types beside its lines.
    """
    placing = Placing(plan=plan, lanes=lanes(plan), labelled=top)
    # Sizes first: the place of a part depends on the heights of all parts below it.
    _measure(placing)
    _stand(placing)
    if len(placing.lanes.columns) == 1:
        _fold(placing, _TALLEST if top else _TALLEST_INSIDE)
    return _collected(placing)


def _measure(placing: Placing) -> None:
    """Determine the size of each part; boxes in one column get the width of the widest."""
    plan = placing.plan
    for number, part in enumerate(plan.parts):
        # A body without drawn parts, such as one that only rearranges, is not opened.
        is_open = part.inside is not None and bool(part.inside.parts)
        placing.frames[number] = _opened(part) if is_open else _closed(part)
    for column in placing.lanes.columns:
        boxes = [k for k in column if plan.parts[k].is_box]
        widest = max((placing.frames[k].size.width for k in boxes), default=0.0)
        for k in boxes:
            frame = placing.frames[k]
            frame.size, frame.axis = Size(widest, frame.size.height), widest / 2
    for reader, beside in placing.lanes.asides.items():
        column = placing.lanes.columns[placing.lanes.of(reader)]
        sources = {wire.source for wire in plan.into(reader)} - {*column, *beside, -1}
        frame = placing.frames[reader]
        frame.beside, frame.on_right = placing.frames[beside[0]].size, bool(sources)


def _closed(part: DiagramPart) -> SizedPart:
    """A part without its inside; its value enters and leaves in the middle."""
    size = size_of(part)
    return SizedPart(part=part, size=size, axis=size.width / 2)


def _opened(part: DiagramPart) -> SizedPart:
    """A part with the layout of its inside, a header above it, and a margin for the number of repetitions."""
    assert part.inside is not None
    inner = laid_out(part.inside)
    axis = inner.axis + FRAME
    words = [part.name, part.title] if part.name and part.name != part.title and "." not in part.name else [part.title]
    room = max(axis - 10, _HEADER_ROOM)
    header = tuple(line for word in (*words, *part.notes) for line in wrapped(word, NOTE, room))
    axis = max(axis, max(width(line, NOTE) for line in header) + 14)
    wide = axis + inner.width - inner.axis + FRAME
    high = inner.height + _HEADER_LINE * len(header) + 10
    margin = TIMES if part.times > 1 else 0.0
    return SizedPart(part=part, size=Size(wide + margin, high), axis=axis + margin, inside=inner, header=header)


def _stand(placing: Placing) -> None:
    """Place every part above its sources, in its own column and in others."""
    plan = placing.plan
    first = {column[0] for column in placing.lanes.columns if column}
    beside = {k for found in placing.lanes.asides.values() for k in found}
    for number, part in enumerate(plan.parts):
        if number in beside:
            continue
        bottom = 0.0 if part.role == "input" else _GAP + (FORK if placing.forks(-1) else 0)
        column = placing.lanes.columns[placing.lanes.of(number)]
        if number not in first:
            bottom = placing.top(column[column.index(number) - 1]) + _gap(placing, column, number)
        half = placing.frames[number].size.height / 2
        # A line from another column enters the first part of a column from below, and later parts at the side.
        for wire in plan.into(number):
            if wire.source < 0 or wire.source in beside or wire.source in column or placing.cut:
                continue
            if number in first:
                bottom = max(bottom, placing.top(wire.source) + _GAP + FORK)
            elif part.inside is None:
                bottom = max(bottom, placing.top(wire.source) + FORK + 8 - half)
        placing.bottoms[number] = bottom
    _raise(placing)


def _raise(placing: Placing) -> None:
    """Move columns without sources in other columns up, to just below their lowest reader."""
    for column in placing.lanes.columns:
        own = {*column, *(k for part in column for k in placing.lanes.asides.get(part, ()))}
        given = {wire.source for part in column for wire in placing.plan.into(part)}
        readers = [wire.target for wire in placing.plan.out_of(column[-1])]
        # Inputs stay at the bottom.
        if given <= own and readers and placing.plan.parts[column[0]].role != "input":
            reader = min(readers, key=lambda part: placing.bottoms[part])
            if placing.plan.parts[reader].inside is None:
                middle = placing.bottoms[reader] + placing.frames[reader].size.height / 2
                up = middle - 2 * FORK - placing.top(column[-1])
                placing.bottoms |= {part: placing.bottoms[part] + max(0.0, up) for part in column}


def _gap(placing: Placing, column: tuple[int, ...], number: int) -> float:
    """The space between a part and the one below it, with room for a label, a fork and taller asides."""
    before = column[column.index(number) - 1]
    extra = (_LABEL_LINE if placing.label(before) else 0.0) + (FORK if placing.forks(before) else 0.0)
    frames = [placing.frames[number], placing.frames[before]]
    taller = (frame.beside.height - frame.size.height for frame in frames if frame.beside is not None)
    return _GAP + extra + max([0.0, *(more / 2 for more in taller)])


def _fold(placing: Placing, tallest: float) -> None:
    """Cut a single column that is too tall into pieces of similar height, if this makes it much less tall."""
    (column,) = placing.lanes.columns
    whole = placing.top(column[-1])
    count = min(int(-(-whole // tallest)), _MOST_PIECES)
    ends = [whole * k / count for k in range(1, count)]

    def off(place: int) -> float:
        return min(abs(placing.top(column[place - 1]) - end) for end in ends)

    places = [k for k in range(1, len(column)) if _may_cut(placing, column[:k])] if ends else []
    # Of many places only those near the ends of equal pieces are tried.
    near = sorted(sorted(places, key=off)[:_MOST_PLACES])
    found = [_pieces(column, cuts) for cuts in combinations(near, len(ends))] if ends else []
    if not found:
        return

    def height(pieces: list[list[int]]) -> float:
        return max(placing.top(piece[-1]) - placing.bottoms[piece[0]] for piece in pieces)

    pieces = min(found, key=height)
    if height(pieces) < _WORTH * whole:
        placing.lanes, placing.cut = folded(placing.lanes, pieces), True
        _stand(placing)


def _may_cut(placing: Placing, below: Sequence[int]) -> bool:
    """Whether only the value of the last of these parts is read by parts above them, so that one line connects both."""
    kept = {*below, -1, *(k for number in below for k in placing.lanes.asides.get(number, ()))}
    passing = {wire.source for wire in placing.plan.wires if wire.target not in kept and wire.source in kept}
    return passing == {below[-1]} and all(wire.source >= -1 for wire in placing.plan.wires)


def _pieces(column: Sequence[int], cuts: Sequence[int]) -> list[list[int]]:
    """A column cut before each of the given places."""
    ends = (0, *cuts, len(column))
    return [list(column[start:end]) for start, end in pairwise(ends)]


def _collected(placing: Placing) -> PlacedDiagram:
    """The finished layout: lines, boxes and labels."""
    layout = routed(placing)
    for number in placing.bottoms:
        axis = placing.axes[placing.lanes.of(number)]
        layout.boxes.append(_box(placing.frames[number], axis, placing.bottoms[number]))
        words = placing.label(number)
        if words:
            layout.labels.append(TypeLabel(at=(axis + 6, placing.label_at(number)), text=words))
    return layout


def _box(frame: SizedPart, axis: float, bottom: float) -> Box:
    return Box(
        part=frame.part,
        x=axis - frame.axis,
        y=bottom,
        width=frame.size.width,
        height=frame.size.height,
        axis=axis,
        inside=frame.inside,
        header=frame.header,
    )
