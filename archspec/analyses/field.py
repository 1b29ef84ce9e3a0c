"""Receptive fields: how many positions of an input one position of a value may depend on, not clipped at borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from archspec.algebra.dim import Dim
from archspec.analyses.reading import AROUND, FIXED, Reading, Readings, composed, joined, start, through
from archspec.analyses.region_reads import region_reads
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat, Tap
from archspec.record import record
from archspec.relation.atoms import NOTHING


@record
class ReceptiveField:
    """The positions along an axis of an input that one position of a value may depend on.

    `extent` counts them from the first to the last, as if the input had no borders; None is global: any number, by the
    node `lost`. `stride` is how far they move with the next position of the value, 0 where all read the same ones, None
    where it differs; `offset` is where those of position 0 begin. `why` says why the extent is a bound; it is empty
    where it is exact: some position of the value has it, for some parameters, on inputs that are large enough.
    """

    extent: Dim | None
    stride: Fraction | None = None
    offset: Fraction | None = None
    why: str = ""
    lost: Node | None = None


class ReceptiveFields:
    """The fields of a graph's values, computed on demand from what its primitives declare to read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._walks: dict[tuple[Value, tuple[int, ...]], _Walk] = {}
        self._bodies: dict[tuple[Graph, int, tuple[int, ...]], tuple[Readings | None, ...]] = {}
        # Bodies are kept apart from walks, since layers share them.
        self._inner = frozenset(_repeated(graph))

    def of(self, value: Value, source: Value, axis: int) -> ReceptiveField | None:
        """The field of a value along an axis of another one at the top or in a module; None if it reads none of it.

        What is inside repeated layers is not followed: as a source it counts as global.
        """
        return self.along(value, source, (axis,)).get(axis)

    def along(self, value: Value, source: Value, axes: Sequence[int]) -> dict[int, ReceptiveField]:
        """The fields of a value along axes of another one, by axis; empty if it reads none of it. See `of`."""
        if not self.follows(source):
            return {axis: ReceptiveField(extent=None, lost=source.producer) for axis in axes}
        numbers = (source.type.coordinates[axis] for axis in axes)
        # Of an axis that is made of several, no single coordinate is the position.
        key = source, tuple(own[0] if len(own) == 1 else FIXED for own in numbers)
        if key not in self._walks:
            self._walks[key] = _Walk(self, source, key[1])
            self._walks[key].run(self.graph.nodes)
        found = self._walks[key].known.get(value, ())
        return {axis: _field(one, source.type.shape[axis]) for axis, one in zip(axes, found, strict=bool(found))}

    def follows(self, source: Value) -> bool:
        """Whether a value is at the top or in a module, and not inside repeated layers."""
        return source not in self._inner

    def body(self, region: Graph, number: int, coordinates: tuple[int, ...]) -> tuple[Readings | None, ...]:
        """What the outputs of a region read along coordinates of its input with that number."""
        key = region, number, coordinates
        if key not in self._bodies:
            walk = _Walk(self, region.inputs[number], coordinates)
            walk.run(region.nodes)
            self._bodies[key] = tuple(walk.known.get(one) for one in region.outputs)
        return self._bodies[key]


class _Walk:
    """One walk over a graph: what each value reads along coordinates of a source; those that read nothing are left out.

    One walk serves all axes of an image: what an op reads is then asked once.
    """

    def __init__(self, around: ReceptiveFields, source: Value, coordinates: Iterable[int]) -> None:
        self.around, self.source = around, source
        self.known: dict[Value, Readings] = {source: tuple(map(start, coordinates))}

    def run(self, nodes: Iterable[Node]) -> None:
        """Walk over nodes in order."""
        for node in nodes:
            operands = [self.known.get(value) for value in node.inputs]
            if any(operands) or node.regions:
                for value, found in zip(node.outputs, self._node(node, operands), strict=True):
                    if found is not None and value is not self.source:
                        self.known[value] = found

    def _node(self, node: Node, operands: Sequence[Readings | None]) -> Iterable[Readings | None]:
        match node.op:
            case Call():
                (region,) = node.regions
                # Each call owns its body, so that its values are recorded like those around it.
                self.known |= {x: found for x, found in zip(region.inputs, operands, strict=True) if found is not None}
                self.run(region.nodes)
                if any(isinstance(one.op, Primitive) and one.op.wraps for one in region.nodes):
                    return list(self._around(node, region, operands))
                return [self.known.get(value) for value in region.outputs]
            case Repeat() if not node.op.scans:
                return self._repeat(node, node.op, operands)
            case Primitive():
                return self._primitive(node, node.op, operands)
            case _:
                lost = next((_lost(node, one) for one in operands if one is not None), None)
                return [lost for _ in node.outputs]

    def _around(self, node: Node, region: Graph, operands: Sequence[Readings | None]) -> Iterator[Readings | None]:
        """What a module reads in which positions wrap around: what it does after may undo it, as shifted windows do."""
        for value in region.outputs:
            step, found = self.known.get(value), list[Readings]()
            for x, known in zip(region.inputs, operands, strict=True):
                relation = NOTHING if known is None else region_reads(region, value, x)
                if known is not None and relation.atoms:
                    found.append(through(node, relation, known, x.type.space, AROUND))
            whole = _together(found, node)
            if step is None or whole is None:
                yield step
            else:
                yield tuple(one if one.bands else other for one, other in zip(whole, step, strict=True))

    def _primitive(self, node: Node, op: Primitive, operands: Sequence[Readings | None]) -> Iterator[Readings | None]:
        """What each output of a primitive reads, over all its operands."""
        types = [value.type for value in node.inputs]
        loose = {k: f"`{op.name}`: {why}" for k, why in op.loose(types).items()}
        ends = op.reaches(types) if loose else {}
        for row in node.reads:
            yield _together(
                [
                    through(node, relation, known, value.type.space, loose.get(k, ""), ends.get(k, frozenset()))
                    for k, (relation, known, value) in enumerate(zip(row, operands, node.inputs, strict=True))
                    if known is not None and relation.atoms
                ],
                node,
            )

    def _repeat(self, node: Node, op: Repeat, operands: Sequence[Readings | None]) -> Iterator[Readings | None]:
        """What the outputs of repeated layers read: layer by layer, with each body walked once."""
        carried, tapped = operands[0], dict[Tap, Readings | None]()
        for layer, body in enumerate(op.schedule):
            region, given = node.regions[body], [carried, *operands[1:]]
            for tap in (tap for tap in op.taps if tap.layer == layer):
                tapped[tap] = self._layer(node, region, given, tap.output)
            carried = self._layer(node, region, given, 0)
            if carried is not None and region.outputs[0].type.space != region.inputs[0].type.space:
                # Coordinates of other factors have other numbers in the next layer.
                carried = _lost(node, carried)
        yield carried
        yield from (tapped[tap] for tap in op.taps)

    def _layer(self, node: Node, region: Graph, given: Sequence[Readings | None], number: int) -> Readings | None:
        """What one output of a layer reads, by what its inputs read."""
        parts = []
        for place, known in enumerate(given):
            if known is None:
                continue
            keys = tuple(sorted({key for one in known for key in one.bands or (FIXED,)}))
            found = self.around.body(region, place, keys)[number]
            if found is not None:
                between = dict(zip(keys, found, strict=True))
                parts.append(tuple(composed(between, one, node) for one in known))
        return _together(parts, node)


def _together(parts: Sequence[Readings], node: Node) -> Readings | None:
    """What a value reads that is made of several others by a node; None of nothing."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    return tuple(joined(own, node) for own in zip(*parts, strict=True))


def _lost(node: Node, readings: Readings) -> Readings:
    """All positions, along as many axes, from a node on."""
    return (Reading(bands={}, lost=node),) * len(readings)


def _repeated(graph: Graph) -> Iterator[Value]:
    """The values inside repeated layers, and those of single layers."""
    for node in graph.nodes:
        if isinstance(node.op, Repeat):
            yield from node.outputs[1:]
            for region in node.regions:
                yield from region.inputs
                yield from (value for one in region.walk() for value in one.outputs)
        for region in node.regions if isinstance(node.op, Call) else ():
            yield from _repeated(region)


def _field(found: Reading, size: Dim) -> ReceptiveField:
    """The narrowest band as a field, of an axis of some size."""
    if not found.bands and found.why:
        return ReceptiveField(extent=size, why=found.why)
    if not found.bands:
        return ReceptiveField(extent=None, lost=found.lost)
    # Of equally wide bands an exact one tells more.
    band = min(found.bands.values(), key=lambda one: (one.extent.maximum(), bool(one.why)))
    if band.line is None:
        return ReceptiveField(extent=band.extent, why=band.why)
    high = band.line.hi.constant
    return ReceptiveField(
        extent=band.extent,
        stride=Fraction(band.line.a, band.line.b),
        # A line is `lo <= a*i - b*j <= hi`, so that position 0 reads from `-hi / b` on.
        offset=None if high is None else Fraction(-high, band.line.b),
        why=band.why,
    )
