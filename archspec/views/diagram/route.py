"""Routing of lines: straight up in a column, beside it past skipped parts, or in channels between columns."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from math import ceil

from archspec.views.diagram.layout import Box, PlacedDiagram, PlacedWire, Point
from archspec.views.diagram.measure import NOTE, TIMES
from archspec.views.diagram.placing import BESIDE, FORK, Placing
from archspec.views.diagram.plan import DiagramWire
from archspec.views.fonts import width

# Distances in pixels: between tracks, from a track to a box, between columns, above the last part, and between lines.
_TRACK, _NEAR = 9.0, 10.0
_BETWEEN = 26.0
_ABOVE = 12.0
_APART, _TURN, _UNDER = 8.0, 5.0, 9.0
Net = tuple[int, int]
"""A channel (the space on the left of the column with that number), and the source of a value that runs in it."""


def routed(placing: Placing) -> PlacedDiagram:
    """A layout with lines, ports and asides, but without other boxes; this also determines the x of columns."""
    router = _Router(placing)
    router.assign()
    router.spread()
    return router.draw()


class _Router:
    """The lines of one plan."""

    def __init__(self, placing: Placing) -> None:
        self.placing, self.plan = placing, placing.plan
        self.columns = placing.lanes.columns
        self.home = placing.home
        self.beside = {k for found in placing.lanes.asides.values() for k in found}
        self.column_of = {part: number for number, column in enumerate(self.columns) for part in column}
        self.first = {column[0] for column in self.columns}
        self.tracks: dict[Net, int] = {}
        self.skips: dict[tuple[int, int], int] = {}
        self.skip_count = [0] * len(self.columns)
        self.channels: list[float] = []
        self.layout = PlacedDiagram()
        self.sides: dict[tuple[int, bool], list[int]] = {}
        self.levels: dict[int, float] = {}

    # The route of each wire.

    def wires(self) -> Iterable[DiagramWire]:
        """All wires except those of asides."""
        return (wire for wire in self.plan.wires if wire.source not in self.beside)

    def column(self, source: int) -> int:
        """The column in which a value flows upwards; -1, the left edge, for a further input."""
        if source >= 0:
            return self.column_of[source]
        return self.home if source == -1 else -1

    def is_straight(self, wire: DiagramWire) -> bool:
        """Whether a wire goes to the part directly above its source."""
        column = self.columns[self.column_of[wire.target]]
        place = column.index(wire.target)
        below = column[place - 1] if place else -1 if self.column_of[wire.target] == self.home else None
        return below == wire.source

    def is_skip(self, wire: DiagramWire) -> bool:
        """Whether a wire passes other parts of its own column."""
        return not self.is_straight(wire) and self.column(wire.source) == self.column_of[wire.target]

    def from_below(self, wire: DiagramWire) -> bool:
        """Whether a wire from another column enters its target at the lower edge."""
        return wire.target in self.first and (wire.main or self.placing.plan.parts[wire.target].role == "output")

    def assign(self) -> None:
        """Assign tracks beside the columns to skips, and tracks in the channels to wires between columns."""
        for number, column in enumerate(self.columns):
            self._assign_skips(number, column)
        for wire in self.wires():
            if not self.is_straight(wire) and not self.is_skip(wire):
                for channel in self._channels_of(wire):
                    self._track((channel, wire.source))
            if not self.is_straight(wire):
                self.sides.setdefault((wire.target, self._from_right(wire)), []).append(wire.source)

    def _from_right(self, wire: DiagramWire) -> bool:
        """Whether a wire enters its target at the right side; opened parts have their ports at the left."""
        if self.is_skip(wire):
            return True
        opened = self.plan.parts[wire.target].inside is not None
        return self.column(wire.source) > self.column_of[wire.target] and not opened

    def _channels_of(self, wire: DiagramWire) -> list[int]:
        """The channels in which a wire between columns runs vertically: one if they are neighbours, else two."""
        a, b = self.column(wire.source), self.column_of[wire.target]
        if self._from_right(wire) and not self.from_below(wire):
            return sorted({a, b + 1})
        return sorted({a if a > b else a + 1, b})

    def _track(self, net: Net) -> None:
        """Assign the next free track of a channel to a value. All wires of a value share a track."""
        if net not in self.tracks:
            self.tracks[net] = sum(1 for channel, _ in self.tracks if channel == net[0])

    def _assign_skips(self, number: int, column: Sequence[int]) -> None:
        """Assign tracks to the skips of a column: short ones first and nearest, and no two overlapping in a track."""
        place = {part: k for k, part in enumerate(column)}
        skips = [wire for wire in self.wires() if wire.target in place and self.is_skip(wire)]
        spans = sorted(
            {(place.get(wire.source, -1), place[wire.target]): wire for wire in skips}.items(),
            key=lambda span: (span[0][1] - span[0][0], span[0]),
        )
        taken: list[list[tuple[int, int]]] = []
        for (start, end), wire in spans:
            track = next(
                (k for k, held in enumerate(taken) if all(end <= s or e <= start for s, e in held)), len(taken)
            )
            if track == len(taken):
                taken.append([])
            taken[track].append((start, end))
            self.skips[wire.source, wire.target] = track
        self.skip_count[number] = len(taken)

    # Positions of columns.

    def spread(self) -> None:
        """Determine the x of columns and channels from left to right."""
        x = 0.0
        for number, column in enumerate(self.columns):
            count = sum(1 for channel, _ in self.tracks if channel == number)
            room = _NEAR + _TRACK * count + 4 if count else 0.0
            x += room if number == 0 else max(room, _BETWEEN)
            self.channels.append(x - room)
            frames = [self.placing.frames[part] for part in column]
            x += max(frame.left for frame in frames)
            self.placing.axes.append(x)
            x += self._right(number, column)
        self.layout.width = x
        self.layout.axis = self.placing.axes[self.home]

    def _right(self, number: int, column: Sequence[int]) -> float:
        """The width of a column on the right of its axis, including its skips."""
        count = self.skip_count[number]
        return self._reach(column) + (_NEAR + _TRACK * (count - 1) + 3 if count else 0.0)

    def _reach(self, column: Sequence[int]) -> float:
        """The width of the boxes and labels of a column on the right of its axis."""
        labels = max(width(self.placing.label(part), NOTE) + 10 for part in column)
        return max(labels, *(self.placing.frames[part].right for part in column))

    def _skip_x(self, number: int, track: int) -> float:
        return self.placing.axes[number] + self._reach(self.columns[number]) + _NEAR + _TRACK * track

    def _channel_x(self, channel: int, source: int) -> float:
        return self.channels[channel] + _NEAR / 2 + 2 + _TRACK * self.tracks[channel, source]

    # Lines.

    def _level(self, source: int) -> float:
        """The y at which a value leaves its column; values that run to other columns have different ones."""
        return self.levels.get(source, self._rim(source) + FORK)

    def _assign_levels(self) -> None:
        """Assign to each value that runs to another column a height of its own, so that lines do not overlap."""
        straight = {wire.source for wire in self.wires() if self.is_straight(wire)}
        across = {wire.source for wire in self.wires() if not (self.is_straight(wire) or self.is_skip(wire))}
        # A value that also goes straight up must leave in the gap above its part, and so is assigned first.
        own = {source for source in across if source >= -1}
        taken: list[float] = []
        for source in sorted(own, key=lambda source: (source not in straight, source)):
            level = self._rim(source) + FORK
            # Those that are taken, from below: past one the next may be in the way.
            for other in taken[bisect_right(taken, level - _TURN) :]:
                if other - level >= _TURN:
                    break
                level += ceil(other + _TURN - level)
            insort(taken, level)
            self.levels[source] = level

    def draw(self) -> PlacedDiagram:
        """The layout with all lines."""
        self._assign_levels()
        tops = [self.placing.top(part) for part in self.placing.bottoms]
        self.layout.height = max(tops) + (0 if self.plan.parts[self.plan.result].role == "output" else _ABOVE)
        for wire in self.wires():
            if self.is_straight(wire):
                self._line([(self._axis(wire.source), self._rim(wire.source)), self._foot(wire.target)], wire)
            elif self.is_skip(wire):
                self._skip(wire)
            elif wire.source < -1:
                self._port(wire)
            else:
                self._cross(wire)
        self._asides()
        self._stubs()
        highest = max((point[1] for line in self.layout.lines for point in line.points), default=0.0)
        self.layout.height = max(self.layout.height, highest + FORK)
        self._result()
        return self.layout

    def _result(self) -> None:
        """Add the line from the part of the result to the upper edge, at the x at which the input enters."""
        result = self.plan.result
        if result >= 0 and self.plan.parts[result].role != "output":
            x, axis, height = self._axis(result), self.layout.axis, self.layout.height
            level = height - _ABOVE / 2
            points = [(x, self.placing.top(result)), (x, level), (axis, level), (axis, height)]
            # Without a bend the two inner corners coincide.
            if x == axis:
                points = [points[0], points[-1]]
            self.layout.lines.append(PlacedWire(points=points, arrow=False, lit=self.plan.parts[result].lit))

    def _stubs(self) -> None:
        """Add short lines from parts to the points at which their values leave, if nothing goes straight up."""
        straight = {wire.source for wire in self.wires() if self.is_straight(wire)} | {self.plan.result}
        for source in sorted({wire.source for wire in self.wires()} - straight):
            if source >= 0:
                axis, rim = self._axis(source), self._rim(source)
                lit = any(wire.lit for wire in self.plan.out_of(source))
                points = [(axis, rim), (axis, self._level(source))]
                self.layout.lines.append(PlacedWire(points=points, arrow=False, lit=lit))

    def _line(self, points: list[Point], wire: DiagramWire) -> None:
        """Add a line without repeated points; inside an opened target it continues, so there is no arrow."""
        # A thick line has the piece above its source that thin ones leave to the line straight up.
        start = [(self._axis(wire.source), self._rim(wire.source))] if wire.lit and wire.source >= -1 else []
        points = [*start, *points]
        kept = [point for k, point in enumerate(points) if k == 0 or point != points[k - 1]]
        arrow = self.plan.parts[wire.target].inside is None
        self.layout.lines.append(PlacedWire(points=kept, arrow=arrow, lit=wire.lit))

    def _axis(self, source: int) -> float:
        return self.placing.axes[self.column(source)]

    def _rim(self, source: int) -> float:
        return self.placing.top(source) if source >= 0 else 0.0

    def _foot(self, target: int) -> Point:
        return self.placing.axes[self.column_of[target]], self.placing.bottoms[target]

    def _entry(self, wire: DiagramWire) -> Point:
        """The point at which a wire enters a side of its target; several wires are spread over the side."""
        target, right = wire.target, self._from_right(wire)
        frame, axis = self.placing.frames[target], self.placing.axes[self.column_of[target]]
        if frame.inside is not None:
            margin = TIMES if frame.part.times > 1 else 0.0
            port = frame.inside.ports.get(wire.port)
            up = frame.size.height / 2 if port is None else port
            return axis - frame.axis + margin, self.placing.bottoms[target] + up
        sources = list(dict.fromkeys(self.sides[target, right]))
        off = (sources.index(wire.source) - (len(sources) - 1) / 2) * min(
            _APART, frame.size.height / (len(sources) + 1)
        )
        edge = axis + frame.edge if right else axis - frame.axis
        return edge, self.placing.bottoms[target] + frame.size.height / 2 + off

    def _skip(self, wire: DiagramWire) -> None:
        """Add a line that passes parts of its own column, such as a residual connection."""
        number = self.column_of[wire.target]
        x, leave = self._skip_x(number, self.skips[wire.source, wire.target]), self._level(wire.source)
        entry = self._entry(wire)
        axis = self.placing.axes[number]
        self._line([(axis, leave), (x, leave), (x, entry[1]), entry], wire)

    def _cross(self, wire: DiagramWire) -> None:
        """Add a line from one column to another, through the gaps between the parts of the columns it crosses."""
        a, b = self.column(wire.source), self.column_of[wire.target]
        start = (self._axis(wire.source), self._level(wire.source))
        if self.from_below(wire):
            self._from_below(wire, start, a, b)
            return
        entry = self._entry(wire)
        first, last = self._channels_of(wire)[0], self._channels_of(wire)[-1]
        if a > b:
            first, last = last, first
        x, end = self._channel_x(first, wire.source), self._channel_x(last, wire.source)
        between = self._free(self._crossed(first, last), start[1], wire.source)
        entry = self._at_level(wire, entry, between)
        self._line([start, (x, start[1]), (x, between), (end, between), (end, entry[1]), entry], wire)

    def _at_level(self, wire: DiagramWire, entry: Point, level: float) -> Point:
        """The entry moved to the y of the wire, to save a bend, if it is alone on that side of a box tall enough."""
        low, high = self.placing.bottoms[wire.target] + 5, self.placing.top(wire.target) - 5
        alone = len(set(self.sides[wire.target, self._from_right(wire)])) == 1
        is_box = self.plan.parts[wire.target].is_box
        return (entry[0], level) if alone and is_box and low < level < high else entry

    def _from_below(self, wire: DiagramWire, start: Point, a: int, b: int) -> None:
        """Add a line that enters the first part of another column from below."""
        foot = self._foot(wire.target)
        crossed = range(min(a, b) + 1, max(a, b))
        level = self._free(crossed, start[1], wire.source)
        if level == start[1] and level < foot[1] - 4:
            self._line([start, (foot[0], level), foot], wire)
            return
        x, end = (self._channel_x(channel, wire.source) for channel in (a + 1 if a < b else a, b))
        under = (foot[0], foot[1] - FORK)
        points = [start, (x, start[1]), (x, level), (end, level), (end, under[1]), under, foot]
        self._line(points, wire)

    def _port(self, wire: DiagramWire) -> None:
        """Add a line from the left edge; the first reader of an input determines the y of its port."""
        b, entry, port = self.column_of[wire.target], self._entry(wire), -1 - wire.source
        level = self._free(range(b), entry[1], wire.source)
        end = self._channel_x(b, wire.source)
        known = self.layout.ports.get(port)
        if known is None:
            self.layout.ports[port] = level
            start = [(0.0, level)]
        else:
            trunk = self._channel_x(0, wire.source)
            start = [(trunk, known), (trunk, level)]
        self._line([*start, (end, level), (end, entry[1]), entry], wire)

    def _crossed(self, first: int, last: int) -> range:
        """The columns between two channels."""
        return range(min(first, last), max(first, last))

    def _free(self, columns: Iterable[int], wanted: float, source: int) -> float:
        """The y nearest to `wanted` at which no part, label or leaving line of these columns is in the way."""
        parts = [part for k in columns for part in self.columns[k]]
        spans = [(self.placing.bottoms[part] - _UNDER, self.placing.top(part) + 4) for part in parts]
        spans += [(self._level(part) - 4, self._level(part) + 4) for part in parts if part != source]
        labels = [self.placing.label_at(part) for part in parts if self.placing.label(part)]
        spans += [(low - 4, low + NOTE + 2) for low in labels]
        heights = [wanted, *(end for low, high in spans for end in (low - 1, high + 1))]
        nearest = sorted((y for y in heights if y > 2), key=lambda y: (abs(y - wanted), y))
        return next((y for y in nearest if all(not low < y < high for low, high in spans)), wanted)

    def _asides(self) -> None:
        """Add the boxes of asides beside their readers, and the short lines between them."""
        for reader, beside in self.placing.lanes.asides.items():
            frame, axis = self.placing.frames[reader], self.placing.axes[self.column_of[reader]]
            middle = self.placing.bottoms[reader] + frame.size.height / 2
            for number in beside:
                size = self.placing.frames[number].size
                left = axis + frame.edge + BESIDE if frame.on_right else axis - frame.axis - BESIDE - size.width
                box = Box(
                    part=self.plan.parts[number],
                    x=left,
                    y=middle - size.height / 2,
                    width=size.width,
                    height=size.height,
                    axis=left + size.width / 2,
                )
                self.layout.boxes.append(box)
                ends = (left, axis + frame.edge) if frame.on_right else (left + size.width, axis - frame.axis)
                self._line([(ends[0], middle), (ends[1], middle)], DiagramWire(number, reader))
