"""Dependence through a graph: for each value, which positions of one input it may depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archspec.ir.call import Call
from archspec.ir.coordinates import aligned_axes
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.relation.atoms import EVERYTHING, NOTHING, Relation, Space, identity
from archspec.relation.compose import compose
from archspec.relation.union import united
from archspec.rules.layers import Layers, Spaces
from archspec.rules.origin import Origin, Run, origin
from archspec.rules.reads import Reads
from archspec.rules.terms import Term


class Dependence:
    """The relations of a graph's values to its inputs, or to other values at its top, computed on demand.

    The source may be any value, an inner one of a repeated region too: it then denotes that one layer's value,
    distinguished from the values of the other layers.

    Args:
        graph: the graph.
        reads: what its primitives read; left out, their declared reads with nothing held fixed.

    Soundness: for every admitted size, every parameter value, eval mode, exact arithmetic and finite intermediate
    values: if two runs differ only in the source's values at positions J, and no j in J is related to i, then the
    value at i is the same, all other inputs held fixed. With `Fixed` reads, J are positions where the predicate of the
    rule holds before and after the change.
    """

    def __init__(self, graph: Graph, reads: Reads | None = None) -> None:
        self.graph = graph
        self.reads = Reads(graph) if reads is None else reads
        self._flows: dict[Value, Flow] = {}
        self._bodies: dict[tuple[Graph, int, Term | None], tuple[Relation, ...]] = {}

    def relation(self, value: Value, source: Value) -> Relation:
        """What a value at the top level, or in a module, may read of a value at the top level.

        Returns a relation over the coordinates of both; `NOTHING` where the value does not depend on the source.
        """
        flow = self.flow(source)
        found = flow.relations.get(value, NOTHING)
        # A source may have other factors where it is used than where it is made: the relation is then translated.
        if flow.source == source.type.space:
            return found
        seen = aligned_axes(flow.origin.value.type, source.type)
        return compose(found, seen, value.type.space, flow.source, source.type.space)

    def flow(self, source: Value) -> Flow:
        """The relations of all values to one of them, taken at the place where that value is made."""
        if source not in self._flows:
            flow = Flow(self, origin(source), self.reads.terms.of(source))
            flow.run(self.graph.nodes)
            self._flows[source] = flow
        return self._flows[source]

    def body(self, region: Graph, number: int, changing: Term | None) -> tuple[Relation, ...]:
        """What the outputs of a repeated body read of its input with that number; the first entry is the carried value.

        `changing` is the term whose value changes with the source, so that constraints by it are not used.
        """
        if changing is not None and not self.reads.restricted(region, changing):
            # Bodies that no constraint by this term restricts have one relation for all sources: the cache then serves
            # them all.
            changing = None
        key = (region, number, changing)
        if key not in self._bodies:
            self._bodies[key] = Flow(self, Origin(region.inputs[number]), changing).outputs(region)
        return self._bodies[key]


class Flow:
    """One walk over a graph: `relations` to one source, while the term `changing` may take any values."""

    def __init__(self, around: Dependence, origin: Origin, changing: Term | None) -> None:
        self.around, self.origin = around, origin
        self.source: Space = origin.value.type.space
        self.changing = changing
        self.relations: dict[Value, Relation] = {}
        self._way = {run.node: run for run in origin.runs}
        # A source inside a repeat is one layer's value: `_from_layer` follows it in a walk of its own, because the same
        # region also runs for the other layers.
        if not any(isinstance(run.node.op, Repeat) for run in origin.runs):
            self.known(origin.value, identity(len(self.source)))

    def known(self, value: Value, relation: Relation) -> None:
        """Record the relation of a value; values that read nothing are left out."""
        if relation.atoms:
            self.relations[value] = relation

    def run(self, nodes: Iterable[Node]) -> None:
        """Walk over nodes in order; nodes that read nothing related to the source are skipped."""
        for node in nodes:
            if node in self._way or any(value in self.relations for value in node.inputs):
                for value, relation in zip(node.outputs, self._node(node), strict=True):
                    self.known(value, relation)

    def outputs(self, region: Graph) -> tuple[Relation, ...]:
        """Relations of a repeated body: the carried value as the next layer takes it, then all outputs."""
        self.run(region.nodes)
        found = [self.relations.get(value, NOTHING) for value in region.outputs]
        taken, given = region.inputs[0].type, region.outputs[0].type
        if taken.space == given.space:
            return (found[0], *found)
        # A layer may pass on axes with other factors than it takes; powers of a body need one space.
        same = aligned_axes(taken, given)
        return (compose(same, found[0], taken.space, given.space, self.source), *found)

    def _node(self, node: Node) -> Sequence[Relation]:
        """The relations of the outputs of one node."""
        operands = [self.relations.get(value, NOTHING) for value in node.inputs]
        match node.op:
            case Primitive():
                return self._primitive(node, operands)
            case Call():
                (region,) = node.regions
                # Each call owns its body, so the values in it are recorded like those around it.
                for value, relation in zip(region.inputs, operands, strict=True):
                    self.known(value, relation)
                self.run(region.nodes)
                return [self.relations.get(value, NOTHING) for value in region.outputs]
            case Repeat() if node in self._way:
                return self._from_layer(node, node.op, self._way[node])
            case Repeat():
                return self._repeat(node, node.op, operands)
            case _:
                # An op of another sort: nothing is known of what it reads, so it reads everything.
                return [EVERYTHING for _ in node.outputs]

    def _primitive(self, node: Node, operands: Sequence[Relation]) -> list[Relation]:
        """Union, over the operands, of what the op reads composed with what the operand reads."""
        rows = self.around.reads.of(node, self.changing)
        result = []
        for value, row in zip(node.outputs, rows, strict=True):
            if self.around.reads.is_fixed(value):
                # The rule's predicate holds this value fixed in both runs, so no change passes through it.
                result.append(NOTHING)
                continue
            out = value.type.space
            found = (
                compose(read, known, out, x.type.space, self.source)
                for read, known, x in zip(row, operands, node.inputs, strict=True)
                if known.atoms
            )
            result.append(united(found, out, self.source))
        return result

    def _repeat(self, node: Node, op: Repeat, operands: Sequence[Relation]) -> list[Relation]:
        # Captured values that do not depend on the source contribute nothing.
        """The relations of the outputs of repeated layers, by powers of the matrix of one period."""
        used = [0, *(k for k in range(1, len(operands)) if operands[k].atoms)]
        spaces = Spaces(node.inputs[0].type.space, tuple(node.inputs[k].type.space for k in used[1:]))
        bodies = [
            {k: self.around.body(region, k, self.changing) for k in used if k == 0 or _reads(region, k)}
            for region in node.regions
        ]
        layers = [_row(body, used, 0) for body in bodies]
        result = [self._outside(spaces.schedule(layers, op.schedule), node.outputs[0], node, used, operands)]
        for tap, value in zip(op.taps, node.outputs[1:], strict=True):
            last = _row(bodies[op.schedule[tap.layer]], used, 1 + tap.output)
            before = spaces.schedule(layers, op.schedule, tap.layer)
            result.append(self._outside(_tapped(spaces, before, last, value.type.space), value, node, used, operands))
        return result

    def _from_layer(self, node: Node, op: Repeat, run: Run) -> list[Relation]:
        """What a repeat's outputs read of a value inside one of its layers.

        The layer of the source runs by itself in a walk of its own; the layers after it are a product of bodies.
        """
        assert run.layer is not None
        made = Flow(self.around, self.origin.inside_of(run), self.changing).outputs(run.region)
        spaces = Spaces(node.inputs[0].type.space, ())
        bodies = [{0: self.around.body(region, 0, self.changing)} for region in node.regions]
        layers, left = [_row(body, (0,), 0) for body in bodies], op.schedule.after(run.layer)

        def carried(last: Layers, count: int, out: Space) -> Relation:
            before = spaces.schedule(layers, left, count)
            return compose(_tapped(spaces, before, last, out).carried, made[0], out, spaces.carried, self.source)

        result = [carried(spaces.none(), len(left), spaces.carried)]
        for tap in op.taps:
            later = tap.layer - run.layer - 1
            if later < 0:
                # A layer that runs before the source's layer cannot depend on it.
                result.append(made[1 + tap.output] if later == -1 else NOTHING)
            else:
                out = node.regions[op.schedule[tap.layer]].outputs[tap.output].type.space
                result.append(carried(_row(bodies[op.schedule[tap.layer]], (0,), 1 + tap.output), later, out))
        return result

    def _outside(
        self, layers: Layers, value: Value, node: Node, used: Sequence[int], operands: Sequence[Relation]
    ) -> Relation:
        """The relation to the source, from the relations to what the layers carry and capture."""
        out = value.type.space
        found = (
            compose(read, operands[k], out, node.inputs[k].type.space, self.source)
            for read, k in zip((layers.carried, *layers.captured), used, strict=True)
        )
        return united(found, out, self.source)


def _reads(region: Graph, number: int) -> bool:
    """Whether a body uses an input; bodies of one repeat all have inputs that only some of them use."""
    return bool(region.uses(region.inputs[number]))


def _row(body: Mapping[int, tuple[Relation, ...]], used: Sequence[int], number: int) -> Layers:
    """One row of a body's matrix: what its output with that number reads of the carried and the captured values."""
    found = [body[k][number] if k in body else NOTHING for k in used]
    return Layers(found[0], tuple(found[1:]))


def _tapped(spaces: Spaces, before: Layers, last: Layers, out: Space) -> Layers:
    """What an output of one layer reads of the initial carried value and of the captured values."""
    s = spaces.carried
    return Layers(
        compose(last.carried, before.carried, out, s, s),
        tuple(
            united((own, compose(last.carried, early, out, s, other)), out, other)
            for own, early, other in zip(last.captured, before.captured, spaces.captured, strict=True)
        ),
    )
