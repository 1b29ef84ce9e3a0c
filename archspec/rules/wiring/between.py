"""The positions on the shortest paths between two positions, by what ops declare to read, without running any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.rules.wiring.frames import RegionRun, State, maker
from archspec.rules.wiring.grid import bits_of
from archspec.rules.wiring.table import Table
from archspec.rules.wiring.wire import Wiring

Spot = tuple[Value, RegionRun | None]
Near = Mapping[Spot, int]
"""Positions, as bits, of values in their frames."""


def between(wiring: Wiring, start: State, goal: State) -> list[Near] | None:
    """The positions of all shortest paths, by their distance from the start; None where no path leads to the goal."""
    layers = _spread(wiring, start, goal)
    if layers is None:
        return None
    found: list[Near] = [{goal[:2]: 1 << goal[2]}]
    for layer in reversed(layers[:-1]):
        found.append(_leading(wiring, layer, found[-1]))
    return found[::-1]


def _spread(wiring: Wiring, start: State, goal: State) -> list[Near] | None:
    """All positions that are read from the start on, by their distance, up to that of the goal."""
    known: dict[Spot, int] = {start[:2]: 1 << start[2]}
    layers: list[Near] = [dict(known)]
    while not layers[-1].get(goal[:2], 0) >> goal[2] & 1:
        after: dict[Spot, int] = {}
        for spot, positions in layers[-1].items():
            for table, operand in _operands(wiring, spot):
                new = table.image(positions) & ~known.get(operand, 0)
                if new:
                    after[operand] = after.get(operand, 0) | new
        if not after:
            return None
        for spot, positions in after.items():
            known[spot] = known.get(spot, 0) | positions
        layers.append(after)
    return layers


def _leading(wiring: Wiring, layer: Near, after: Near) -> Near:
    """Those positions of a layer that read one of the next."""
    found: dict[Spot, int] = {}
    for spot, positions in layer.items():
        pairs = [(table, after[operand]) for table, operand in _operands(wiring, spot) if operand in after]
        own = sum(1 << bit for bit in bits_of(positions if pairs else 0) if any(t.row(bit) & w for t, w in pairs))
        if own:
            found[spot] = own
    return found


def _operands(wiring: Wiring, spot: Spot) -> Iterator[tuple[Table, Spot]]:
    """What a value reads of each operand, where it is made by a primitive and not held fixed."""
    value, frame = spot
    node = value.producer
    if node is None or not isinstance(node.op, Primitive) or wiring.reads.is_fixed(value):
        return
    for place, operand in enumerate(node.inputs):
        table = wiring.table(node, value.index, place)
        if table is not None:
            yield table, maker(operand, frame)
