"""Shift symmetry: how every value of a graph moves when one of them is moved along an axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.motion import UNKNOWN, Break, Lost, Motion, Move, Moves, Still, lost, source
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat


class Shifts:
    """The motions of a graph's values when `origin`, a value at its top, is moved along an axis, and others with it.

    Args:
        graph: the graph.
        origin: the value that is moved; all that it is not computed from is held fixed.
        axis: the axis along which it moves.
        move: by how much, and whether cyclically.
        others: inputs that are moved together with it, each along its own axis.

    Soundness: for every admitted size, every parameter value, eval mode, exact arithmetic and finite intermediate
    values: entries of a value whose motion is not broken are where the motion says after the move. See `Moves`.
    """

    def __init__(
        self, graph: Graph, origin: Value, axis: int, move: Move, others: Iterable[tuple[Value, int]] = ()
    ) -> None:
        self.graph, self.origin = graph, origin
        self._starts = {value: source(move, own) for value, own in (*others, (origin, axis))}
        self._known: dict[Value, Motion] = {}
        self._makers: dict[Break, Node] = {}
        self._bodies: dict[tuple[Graph, tuple[Motion, ...]], tuple[Motion, ...]] = {}
        self._set(graph.inputs, [Still() for _ in graph.inputs])
        if movable(graph, origin):
            self._run(graph.nodes)

    def motion(self, value: Value) -> Motion:
        """The motion of a value at the top."""
        return self._known.get(value, _ELSEWHERE) if movable(self.graph, self.origin) else _ELSEWHERE

    def where(self, motion: Motion) -> tuple[Node | None, str]:
        """The node that breaks a motion, and how; without a node where the source itself is out of reach."""
        found = motion.broken if isinstance(motion, Moves) else motion.why if isinstance(motion, Lost) else None
        return (None, "") if found is None else (self._makers.get(found), found.reason)

    def _set(self, values: Sequence[Value], motions: Sequence[Motion]) -> None:
        for value, motion in zip(values, motions, strict=True):
            self._known[value] = self._starts.get(value, motion)

    def _run(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            found = self._node(node, [self._known[value] for value in node.inputs])
            self._set(node.outputs, [self._made(node, motion) for motion in found])

    def _made(self, node: Node, motion: Motion) -> Motion:
        """Remember which node broke a motion: the first that gives it."""
        found = motion.broken if isinstance(motion, Moves) else motion.why if isinstance(motion, Lost) else None
        if found is not None:
            self._makers.setdefault(found, node)
        return motion

    def _node(self, node: Node, operands: list[Motion]) -> Sequence[Motion]:
        """The motions of the outputs of a node."""
        match node.op:
            case Call():
                return self._body(node.regions[0], operands)
            case Repeat():
                return self._repeat(node, node.op, operands)
            case Primitive():
                return self.primitive(node, node.op, operands)
            case _:
                return [lost(UNKNOWN) for _ in node.outputs]

    def primitive(self, node: Node, op: Primitive, operands: Sequence[Motion]) -> Sequence[Motion]:
        """The motions of the outputs of a primitive, by those of its operands."""
        return op.moved(operands, [value.type for value in node.inputs], [value.type for value in node.outputs])

    def _body(self, region: Graph, operands: Sequence[Motion]) -> tuple[Motion, ...]:
        """The motions of the outputs of a body."""
        key = (region, tuple(operands))
        # Layers of one kind that are given the same motions give the same ones.
        if key not in self._bodies:
            self._set(region.inputs, operands)
            self._run(region.nodes)
            self._bodies[key] = tuple(self._known[value] for value in region.outputs)
        return self._bodies[key]

    def _repeat(self, node: Node, op: Repeat, operands: list[Motion]) -> list[Motion]:
        """The motions of the last carried value and of the taps of repeated layers, followed layer by layer."""
        if op.scans:
            return [lost("gives each layer a part of a stack") for _ in node.outputs]
        carried, taken = operands[0], {}
        for layer, body in enumerate(op.schedule):
            found = self._body(node.regions[body], [carried, *operands[1:]])
            carried = found[0]
            taken.update({(tap.layer, tap.output): found[tap.output] for tap in op.taps if tap.layer == layer})
        return [carried, *(taken[tap.layer, tap.output] for tap in op.taps)]


def movable(graph: Graph, value: Value) -> bool:
    """Whether a value can be moved apart from all others: an input, or what nothing else is computed with.

    An inner value of a module or of repeated layers is also read by the rest of the body that makes it.
    """
    if value in graph.inputs:
        return True
    node = value.producer
    if node is None or not any(node is one for one in graph.nodes):
        return False
    return isinstance(node.op, Primitive) or len(node.outputs) == 1


_ELSEWHERE = lost("is computed inside of repeated layers, each of which has its own")
