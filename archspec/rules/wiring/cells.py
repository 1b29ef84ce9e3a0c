"""Cells: ranges of an axis of fixed size whose positions nothing in the graph distinguishes.

A model has hundreds of features, and an op reads all or the same of them. They are followed as one cell; where a slice
or a concatenation cuts an axis the cells are cut too, along every value that its positions flow to or from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.relation.atoms import Atom, Relation
from archspec.relation.forms import all_used, used
from archspec.rules.reads import Reads

Place = tuple[Value, int]
"""One coordinate of a value."""


class Cells:
    """The cells of every value of a graph; see `starts`.

    `extra` are further relations between values that must be exact over cells, such as that of a rule.
    """

    def __init__(self, graph: Graph, reads: Reads, extra: Iterable[tuple[Value, Value, Relation]] = ()) -> None:
        self._cuts: dict[Place, set[int]] = {}
        self._whole: set[Place] = set()
        self._linked: dict[Place, list[tuple[Place, int]]] = {}
        for out, inp, relation in (*_read(graph, reads), *extra):
            for atom in relation.atoms:
                self._atom(out, inp, atom)
        for left, right in _passed(graph):
            self._pass_on(left, right)
        self._spread()

    def starts(self, value: Value) -> list[Sequence[int] | None]:
        """For each coordinate of a value the positions at which its cells start; None for a run-time size."""
        return [self._starts((value, k), size.constant) for k, size in enumerate(value.type.space)]

    def _starts(self, place: Place, size: int | None) -> Sequence[int] | None:
        """The starts on one coordinate: every position where it is followed position by position."""
        if size is None or place in self._whole:
            return None if size is None else range(size)
        return sorted({0, *(cut for cut in self._cuts.get(place, ()) if 0 < cut < size)})

    def _atom(self, out: Value, inp: Value, atom: Atom) -> None:
        """Link the coordinates that an atom equates, cut at its constant ends, and follow the others by position."""
        for d in atom.differences:
            left, right = (out, d.out), (inp, d.inp)
            shift = d.lo.constant if d.lo is not None and d.lo == d.hi and d.a == d.b == 1 else None
            if shift is not None:
                self._link(left, right, shift)
            else:
                # Only an exact shift maps cells to cells; any other difference may end inside one.
                self._whole |= {left, right}
        for r in atom.ranges:
            self._cut((out if r.side == "out" else inp, r.coordinate), r.lo, 0)
            self._cut((out if r.side == "out" else inp, r.coordinate), r.hi, 1)
        # Data may differ at every position of what a guard, a prefix or a segment indexes.
        self._whole |= {(out if g.side == "out" else inp, k) for g in atom.guards for k in all_used(g.coordinates)}
        self._whole |= {(inp, k) for bound in atom.prefixes for k in all_used((bound.inp, *bound.leading))}
        self._whole |= {(out, k) for equality in atom.segments for k in all_used(equality.out)}
        self._whole |= {(inp, k) for equality in atom.segments for k in all_used(equality.inp)}
        self._whole |= {(out, k) for one in atom.flats for k in used(one.out)}
        self._whole |= {(inp, k) for one in atom.flats for k in used(one.inp)}

    def _pass_on(self, left: Value, right: Value) -> None:
        """Link two values that are the same one; an axis with other factors there is followed by position."""
        if left.type.space == right.type.space:
            for k in range(len(left.type.space)):
                self._link((left, k), (right, k), 0)
            return
        pairs = zip(left.type.axes, left.type.coordinates, right.type.axes, right.type.coordinates, strict=True)
        for axis, here, other, there in pairs:
            if axis.factors == other.factors:
                for pair in zip(here, there, strict=True):
                    self._link((left, pair[0]), (right, pair[1]), 0)
            else:
                self._whole |= {*((left, k) for k in here), *((right, k) for k in there)}

    def _cut(self, place: Place, end: object, after: int) -> None:
        """Cut a coordinate at the end of a range; an end that depends on a size cuts everywhere."""
        if end is None:
            return
        whole = getattr(end, "constant", None)
        if whole is None:
            self._whole.add(place)
        else:
            self._cuts.setdefault(place, set()).add(whole + after)

    def _link(self, left: Place, right: Place, shift: int) -> None:
        """Record that position i of the left flows to position `i - shift` of the right."""
        self._linked.setdefault(left, []).append((right, -shift))
        self._linked.setdefault(right, []).append((left, shift))
        # A shorter side covers only a stretch of the longer one, so its ends are cuts there.
        sizes = [value.type.space[k].constant for value, k in (left, right)]
        if sizes[0] is not None and sizes[1] is not None:
            self._cuts.setdefault(left, set()).update({shift, sizes[1] + shift})
            self._cuts.setdefault(right, set()).update({-shift, sizes[0] - shift})

    def _spread(self) -> None:
        """Carry cuts, and being followed by position, along all links until nothing changes."""
        # Every coordinate that a position flows to or from must be divided in the same way.
        waiting = list(self._whole)
        while waiting:
            for other, _ in self._linked.get(waiting.pop(), ()):
                if other not in self._whole:
                    self._whole.add(other)
                    waiting.append(other)
        waiting = [place for place in self._cuts if place not in self._whole]
        while waiting:
            place = waiting.pop()
            for other, shift in self._linked.get(place, ()):
                size = other[0].type.space[other[1]].constant
                found = {cut + shift for cut in self._cuts.get(place, ())}
                known = self._cuts.setdefault(other, set())
                # Cuts beyond the axis are dropped: else two shifted links could pass one on without end.
                new = {cut for cut in found - known if size is not None and 0 < cut < size}
                if new:
                    known |= new
                    waiting.append(other)


def _read(graph: Graph, reads: Reads) -> Iterator[tuple[Value, Value, Relation]]:
    """Every operand of every primitive with what is read of it."""
    for node in graph.walk():
        if isinstance(node.op, Primitive):
            for value, row in zip(node.outputs, reads.of(node), strict=True):
                for operand, relation in zip(node.inputs, row, strict=True):
                    yield value, operand, relation


def _passed(graph: Graph) -> Iterator[tuple[Value, Value]]:
    """Pairs of values one of which is passed on as the other."""
    for node in graph.walk():
        for region in node.regions:
            yield from zip(region.inputs, node.inputs, strict=True)
            yield from _handed_back(node, region)


def _handed_back(node: Node, region: Graph) -> Iterator[tuple[Value, Value]]:
    """The outputs of a node paired with the region outputs that they are."""
    if not isinstance(node.op, Repeat):
        yield from zip(node.outputs, region.outputs, strict=True)
        return
    yield node.outputs[0], region.outputs[0]
    # What a layer passes on is what the next one takes.
    yield region.inputs[0], region.outputs[0]
    for tap, value in zip(node.op.taps, node.outputs[1:], strict=True):
        if node.regions[node.op.schedule[tap.layer]] is region:
            yield value, region.outputs[tap.output]
