"""Sets of positions followed backwards through a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat, Schedule
from archspec.relation.atoms import Relation
from archspec.rules.origin import Run, origin
from archspec.rules.reads import Reads
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.grid import CellGrid, check_count
from archspec.rules.wiring.table import Table
from archspec.rules.wiring.world import World

Sets = dict[Value, int]
"""Positions of values, as bits."""


class Wiring:
    """What positions of a graph's values read in one world.

    Args:
        graph: the graph.
        reads: what its primitives read.
        cells: how axes are divided into cells.
        world: the sizes and the values of the controls.

    Tables and bodies are cached for this world, or for all of its sizes where no control restricts them.
    """

    def __init__(self, graph: Graph, reads: Reads, cells: Cells, world: World) -> None:
        self.graph, self.reads, self.cells, self.world = graph, reads, cells, world
        self._grids: dict[Value, CellGrid] = {}
        self._shapes: dict[tuple[object, ...], CellGrid] = {}
        self._own, self._still = _Found(), _Found()
        self._controlled: dict[Graph, bool] = {}

    def in_world(self, world: World) -> Wiring:
        """The same graph in another world of the same sizes: both share what no control restricts."""
        assert world.sizes == self.world.sizes
        other = Wiring(self.graph, self.reads, self.cells, world)
        other._grids, other._shapes = self._grids, self._shapes
        other._still, other._controlled = self._still, self._controlled
        return other

    def grid(self, value: Value) -> CellGrid:
        """The positions of a value. Raises TooManyPositions."""
        if value not in self._grids:
            sizes = tuple(size.value(self.world.sizes) for size in value.type.space)
            check_count(value, self.cells.starts(value), sizes)
            starts = [range(n) if one is None else one for one, n in zip(self.cells.starts(value), sizes, strict=True)]
            key = (sizes, *(tuple(one) for one in starts))
            # Equal grids are one object, by which keys of tables are compared quickly.
            self._grids[value] = self._shapes.setdefault(key, CellGrid(starts, sizes))
        return self._grids[value]

    def table(self, node: Node, output: int, operand: int) -> Table | None:
        """What an output of a primitive reads of an operand; None for nothing."""
        key = (node.outputs[output], operand)
        table = self._still.tables.get(key) or self._own.tables.get(key)
        if table is None:
            relation = self.reads.of(node)[output][operand]
            table = self.between(node.outputs[output], node.inputs[operand], relation)
            self._found(_is_controlled(relation)).tables[key] = table
        return table if table.reads_something else None

    def between(self, out: Value, inp: Value, relation: Relation) -> Table:
        """The table of a relation between two values in this world."""
        key = (relation, self.grid(out), self.grid(inp))
        made = self._found(_is_controlled(relation)).made
        if key not in made:
            made[key] = Table(*key, self.world)
        return made[key]

    def read(self, value: Value, positions: int, source: Value) -> int:
        """The positions of a top-level value `source` that some positions of a value read.

        The source is taken where it is made: inside modules and layers, it is that one run's value.
        """
        found = origin(source)
        sets: Sets = {value: positions}
        self._walk(self.graph.nodes, sets)
        for run in found.runs:
            outputs = self._outputs_of(run, sets)
            sets = _given(run.region, outputs)
            self._walk(run.region.nodes, sets)
        return sets.get(found.value, 0)

    def _outputs_of(self, run: Run, sets: Sets) -> tuple[int, ...]:
        """The positions of a run's outputs that are read after it."""
        node = run.node
        if run.layer is None or not isinstance(node.op, Repeat):
            return tuple(sets.get(value, 0) for value in node.outputs)
        return self._layers(node, node.op, sets, run.layer)[0]

    def _walk(self, nodes: Iterable[Node], sets: Sets) -> None:
        """Follow sets of positions backwards through nodes."""
        # Backwards all readers of a value come before the node that makes it, so its set is complete.
        for node in reversed(tuple(nodes)):
            if any(sets.get(value) for value in node.outputs):
                self._node(node, sets)

    def _node(self, node: Node, sets: Sets) -> None:
        """Follow sets of positions backwards through one node."""
        match node.op:
            # Most nodes are primitives, and to ask an abstract class is slow.
            case Primitive():
                self._primitive(node, sets)
            case Call():
                outputs = tuple(sets.get(value, 0) for value in node.outputs)
                self._join(sets, node, self._body(node.regions[0], outputs))
            case Repeat():
                self._repeat(node, node.op, sets)
            case _:
                # An op of another sort is taken to read everything, as in `Flow`.
                self._join(sets, node, tuple(self.grid(value).everything for value in node.inputs))

    def _primitive(self, node: Node, sets: Sets) -> None:
        """Add, for each operand, the positions that the outputs' positions read."""
        for number, value in enumerate(node.outputs):
            positions = sets.get(value, 0)
            if not positions or self.reads.is_fixed(value):
                continue
            for place, operand in enumerate(node.inputs):
                table = self.table(node, number, place)
                if table is not None:
                    sets[operand] = sets.get(operand, 0) | table.image(positions)

    def _body(self, region: Graph, outputs: tuple[int, ...]) -> tuple[int, ...]:
        """The positions of a region's inputs that given positions of its outputs read."""
        key = (region, outputs)
        bodies = self._found(self._has_control(region)).bodies
        # Layers that get the same set of positions are followed once.
        if key not in bodies:
            sets = _given(region, outputs)
            self._walk(region.nodes, sets)
            bodies[key] = tuple(sets.get(value, 0) for value in region.inputs)
        return bodies[key]

    def _found(self, controlled: bool) -> _Found:
        """Where what is found is kept: for this world, or for all worlds of its sizes."""
        return self._own if controlled else self._still

    def _has_control(self, region: Graph) -> bool:
        """Whether a control restricts what some node of a region reads."""
        if region not in self._controlled:
            primitives = (node for node in region.walk() if isinstance(node.op, Primitive))
            relations = (one for node in primitives for row in self.reads.of(node) for one in row)
            self._controlled[region] = any(map(_is_controlled, relations))
        return self._controlled[region]

    def _repeat(self, node: Node, op: Repeat, sets: Sets) -> None:
        """Follow sets of positions backwards through all layers of a repeat."""
        # A repeat of no layers returns its operand.
        if not len(op.schedule):
            self._join(sets, node, (sets.get(node.outputs[0], 0), *(0 for _ in node.inputs[1:])))
            return
        outputs, captured = self._layers(node, op, sets, 0)
        carried, *found = self._body(node.regions[op.schedule[0]], outputs)
        self._join(sets, node, (carried, *(old | new for old, new in zip(captured, found, strict=True))))

    def _layers(self, node: Node, op: Repeat, sets: Sets, first: int) -> tuple[tuple[int, ...], list[int]]:
        """The positions of one layer's outputs that are read after it, and those that later layers capture."""
        taps: dict[int, list[tuple[int, int]]] = {}
        for tap, value in zip(op.taps, node.outputs[1:], strict=True):
            taps.setdefault(tap.layer, []).append((tap.output, sets.get(value, 0)))
        carried, captured = sets.get(node.outputs[0], 0), [0] * (len(node.inputs) - 1)
        layer, before = len(op.schedule) - 1, -1
        while layer > first:
            # Where a tap is left, a period adds to what it got, and is not like the one before.
            if _starts_period(op.schedule, layer) and min(taps, default=layer + 1) > layer:
                if carried == before:
                    # The period that just ran left what it got, and so will all earlier ones.
                    layer = max(first, len(op.schedule.start) - 1)
                    continue
                before = carried
            region = node.regions[op.schedule[layer]]
            carried, *found = self._body(region, _tapped(region, carried, taps.get(layer, ())))
            captured = [old | new for old, new in zip(captured, found, strict=True)]
            layer -= 1
        return _tapped(node.regions[op.schedule[first]], carried, taps.get(first, ())), captured

    @staticmethod
    def _join(sets: Sets, node: Node, found: Iterable[int]) -> None:
        """Add positions to those of a node's operands."""
        for value, positions in zip(node.inputs, found, strict=True):
            if positions:
                sets[value] = sets.get(value, 0) | positions


class _Found:
    """What was found of tables and of the bodies of calls and repeats."""

    def __init__(self) -> None:
        self.tables: dict[tuple[Value, int], Table] = {}
        self.made: dict[tuple[Relation, CellGrid, CellGrid], Table] = {}
        self.bodies: dict[tuple[Graph, tuple[int, ...]], tuple[int, ...]] = {}


def wirings(graph: Graph, reads: Reads, cells: Cells, worlds: Iterable[World]) -> Iterator[Wiring]:
    """A wiring for each world; one of the sizes of the world before it shares what no control restricts."""
    last: Wiring | None = None
    for world in worlds:
        if last is not None and last.world.sizes == world.sizes:
            last = last.in_world(world)
        else:
            last = Wiring(graph, reads, cells, world)
        yield last


def _is_controlled(relation: Relation) -> bool:
    """Whether values of controls decide which positions are related."""
    return any(atom.guards or atom.prefixes or atom.segments for atom in relation.atoms)


def _given(region: Graph, outputs: Sequence[int]) -> Sets:
    """The positions of a region's outputs, by value; one value may be several outputs."""
    sets: Sets = {}
    for value, positions in zip(region.outputs, outputs, strict=True):
        sets[value] = sets.get(value, 0) | positions
    return sets


def _tapped(region: Graph, carried: int, taps: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The positions of a layer's outputs: those that the next layer reads of the carried value, and those of taps."""
    outputs = [carried, *(0 for _ in region.outputs[1:])]
    for output, positions in taps:
        outputs[output] |= positions
    return tuple(outputs)


def _starts_period(schedule: Schedule, layer: int) -> bool:
    """Whether a layer is the last of a period of the repeated part, which comes first when going backwards."""
    inner = layer - len(schedule.start)
    period = len(schedule.repeat)
    return period > 0 and 0 <= inner < period * schedule.times and inner % period == period - 1
