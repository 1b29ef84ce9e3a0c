"""Parts of a sequence: between the groups of tensor ranks, repeated layers work on a part of the length each.

Norms, sums with residuals and dropout treat every position alike. Where a group begins, parts are gathered, and where
it ends, terms are summed into parts: the same bytes as for an all-reduce, and less is kept for the backward pass.

Source: Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.gradients import GradientWires
from archspec.analyses.sharding.groups import WHOLE_LABEL, Labels
from archspec.analyses.sharding.joining import Joining
from archspec.analyses.sharding.plan import LengthStack
from archspec.analyses.sharding.size_reads import symbols_read
from archspec.analyses.sharding.terms import copied
from archspec.analyses.sharding.ways import PartWay, labelled, plain
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.diagnostics import Span
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.placement import Copied, Partial, Placement, Shard
from archspec.ir.repeat import Repeat
from archspec.ir.types import Axis, TensorType

_POSITIONS = 1
_ANOTHER_AXIS = "what hands it on is split along another axis"


def in_parts_of_length(
    graph: Graph, wiring: WiredGraph, labels: Labels, gradients: GradientWires, ranks: int
) -> tuple[Labels, tuple[LengthStack, ...]]:
    """Cut the length in repeated layers wherever values are whole.

    Args:
        graph: the graph.
        wiring: its wires, by layer.
        labels: what is decided by the groups of tensor ranks.
        gradients: the wires with a gradient.
        ranks: the number of ranks.

    Returns:
        what is decided with the parts, and for every list of layers of sequences whether it has them.
    """
    stacks: list[LengthStack] = []
    labels = _gathered_early(wiring, labels)
    for node in graph.walk():
        if isinstance(node.op, Repeat) and node.inputs[0].type.rank == 3:
            made, reason, span = _of_stack(graph, wiring, labels, gradients, ranks, node)
            labels = made or labels
            length = node.inputs[0].type.shape[_POSITIONS]
            stacks.append(LengthStack(path=node.op.module, length=length, reason=reason, span=span))
    return labels, tuple(stacks)


def _of_stack(
    graph: Graph, wiring: WiredGraph, labels: Labels, gradients: GradientWires, ranks: int, node: Node
) -> tuple[Labels | None, str | None, Span | None]:
    """What is decided if the length of one list of layers is cut; else why it is not, and where that stands."""
    axis = node.inputs[0].type.axes[_POSITIONS]
    carried = wiring.values[node.regions[0].inputs[0]]
    known = labels.wires.get(carried, WHOLE_LABEL)
    if known != WHOLE_LABEL:
        # Layers in layers are cut with those around them.
        return (labels, None, None) if known == Shard(_POSITIONS) else (None, "its features are split", node.span)
    if (reason := _uneven(axis, ranks)) is not None:
        return None, reason, node.span
    search = _Search(graph, wiring, labels, gradients, axis.size, ranks)
    search.run()
    search.gather_early()
    made = search.around(carried)
    if made is None:
        why = search.why(carried)
        return None, *((f"{_named(why)} needs all of it", why.node.span) if why else (_ANOTHER_AXIS, node.span))
    if copied(wiring, made, gradients) is None:
        return None, "a value would be whole and a term at once", node.span
    return made, None, None


def _uneven(axis: Axis, ranks: int) -> str | None:
    """Why ranks cannot cut a length."""
    rows = axis.factors[0]
    if rows.constant is not None:
        return f"{rows} is not divisible by {ranks}" if rows.constant % ranks else None
    # Rows of a map are cut as a whole, and hooks know the length alone.
    return f"its rows, {rows}, are known only at run time" if rows != axis.size else None


def _named(wired: WiredOp) -> str:
    return f"`{wired.node.name}` ({wired.op.name})" if wired.node.name else f"`{wired.op.name}`"


@dataclass
class _Search:
    """The most wires that can be parts of one length: all are, until one that cannot be is left out.

    `parts` are the axes of the wires that are left, and `causes` why others are not, by the number of an op.
    """

    graph: Graph
    wiring: WiredGraph
    labels: Labels
    gradients: GradientWires
    length: Dim
    ranks: int
    parts: dict[int, int] = field(default_factory=dict)
    causes: dict[int, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bodies: dict[int, set[int]] = {}
        captured = set()
        for number, body in enumerate(_bodies(self.graph)):
            for value in _values(body):
                self.bodies.setdefault(number, set()).add(self.wiring.values[value])
            for node in body.nodes:
                # What all layers read is gathered once, before them.
                captured |= {self.wiring.values[x] for x in node.inputs[1:]} if isinstance(node.op, Repeat) else set()
        # What a group only joins may become parts at once.
        of_groups = {wire for way in self.labels.ways.values() for wire in way.labels}
        split = {wire for wire, label in self.labels.wires.items() if label != WHOLE_LABEL}
        apart = of_groups | split | self.wiring.fixed | captured
        axes: dict[int, set[int | None]] = {}
        for wire, type_ in self.wiring.types():
            axes.setdefault(wire, set()).add(_axis(type_, self.length, self.ranks))
        for wire, (axis, *others) in axes.items():
            if axis is not None and not others and wire in self.gradients.possible and wire not in apart:
                self.parts[wire] = axis
        self.ways = {
            number: tuple(_ways(wired))
            for number, wired in enumerate(self.wiring.ops)
            if number not in self.labels.ways
        }

    def run(self) -> None:
        """Leave out wires until the rest fits."""
        self.sizes()
        before = -1
        while len(self.parts) != before:
            before = len(self.parts)
            for number in self.ways:
                wires = self.wiring.ops[number].wires
                if not wires.isdisjoint(self.parts) and self.way(number) is None:
                    self.leave_out(wires, self.origin(number))
            for link in self.wiring.links:
                for wire, other in ((link.source, link.target), (link.target, link.source)):
                    if wire in self.parts and not self.converts(other, is_source=other == link.source):
                        self.leave_out({wire}, None)

    def gather_early(self) -> None:
        """Leave out wires that only pass parts on to where they are gathered: it is done once, before them."""
        used = {wire for wired in self.wiring.ops for wire in wired.wires}
        before = -1
        while len(self.parts) != before:
            before = len(self.parts)
            ahead = {link.source for link in self.wiring.links if link.target in self.parts}
            self.leave_out({wire for wire in self.parts if wire not in used and wire not in ahead}, None)

    def sizes(self) -> None:
        """Leave out the values of a method that reads the length off some tensor, since that may be a part."""
        wanted = frozenset(self.length.symbols())
        pairs = ((wired.node, number) for number, wired in enumerate(self.wiring.ops))
        readers = {node: number for node, number in pairs if wanted and symbols_read(node) & wanted}
        for body, held in enumerate(_bodies(self.graph)):
            # A method that has no such tensor is given the size by the one that calls it.
            for node in held.walk():
                if node in readers:
                    self.leave_out(self.bodies[body], readers[node])

    def converts(self, other: int, *, is_source: bool) -> bool:
        """Whether a hook may convert between parts of the length and another wire."""
        label = self.labels.wires.get(other, WHOLE_LABEL)
        return label == WHOLE_LABEL or (is_source and isinstance(label, Partial))

    def leave_out(self, wires: frozenset[int] | set[int], cause: int | None) -> None:
        """These wires are whole."""
        for wire in wires:
            if self.parts.pop(wire, None) is not None:
                self.causes[wire] = cause

    def origin(self, number: int) -> int:
        """Why an op has no way: itself, or what left out one of its wires before."""
        found = (self.causes.get(wire) for wire in sorted(self.wiring.ops[number].wires))
        return next((cause for cause in found if cause is not None), number)

    def way(self, number: int) -> PartWay | None:
        """The way of an op that has all of its wires as they are."""
        return next((way for way in self.ways[number] if all(self.fits(*item) for item in way.labels.items())), None)

    def fits(self, wire: int, label: Placement) -> bool:
        """Whether a wire has a label."""
        return self.parts.get(wire) == (label.axis if isinstance(label, Shard) else None)

    def around(self, carried: int) -> Labels | None:
        """The labels with the parts that hang together with a wire; None if that is whole."""
        if carried not in self.parts:
            return None
        joining = Joining()
        ways = {number: way for number in self.ways if (way := self.cut(number)) is not None}
        for number in ways:
            joining.join(*(wire for wire in self.wiring.ops[number].wires if wire in self.parts))
        for link in self.wiring.links:
            if link.source in self.parts and link.target in self.parts:
                joining.join(link.source, link.target)
        own = joining.top(carried)
        wires = {wire: Shard(axis) for wire, axis in self.parts.items() if joining.top(wire) == own}
        ways = {number: way for number, way in ways.items() if not wires.keys().isdisjoint(way.labels)}
        whole = {wire: WHOLE_LABEL for way in ways.values() for wire in way.labels if wire not in wires}
        return Labels(wires={**self.labels.wires, **whole, **wires}, ways={**self.labels.ways, **ways})

    def cut(self, number: int) -> PartWay | None:
        """The way of an op that stands at parts."""
        return None if self.wiring.ops[number].wires.isdisjoint(self.parts) else self.way(number)

    def why(self, wire: int) -> WiredOp | None:
        """The op that keeps a wire whole."""
        cause = self.causes.get(wire)
        return None if cause is None else self.wiring.ops[cause]


def _gathered_early(wiring: WiredGraph, labels: Labels) -> Labels:
    """The same where parts that are only passed on to where they are gathered are gathered before."""
    wires = dict(labels.wires)
    used = {wire for wired in wiring.ops for wire in wired.wires}
    ahead: dict[int, set[int]] = {}
    for link in wiring.links:
        ahead.setdefault(link.source, set()).add(link.target)
    before = -1
    while len(wires) != before:
        before = len(wires)
        for wire in [wire for wire in ahead if isinstance(wires.get(wire), Shard) and wire not in used]:
            if all(wires.get(one, WHOLE_LABEL) == WHOLE_LABEL for one in ahead[wire]):
                del wires[wire]
    return Labels(wires=wires, ways=labels.ways)


def _ways(wired: WiredOp) -> Iterator[PartWay]:
    """The ways of an op that part what it computes, and no weight.

    Ops with matrices have none: the gradient of a matrix would have to be summed over the ranks.
    """
    trained = (one for one in wired.node.parameters.values() if one.trainable and not one.buffer)
    if any(one.type.rank > 1 for one in trained):
        return
    for sharding in plain(wired.node):
        weights = [one for name, one in sharding.parameters.items() if name in wired.node.parameters]
        is_whole = all(isinstance(one, Copied) for one in weights) and sharding.rows is None and not sharding.attributes
        is_cut = all(isinstance(one, Shard) for one in sharding.results)
        terms = any(isinstance(one, Partial) for one in sharding.operands)
        if is_whole and is_cut and not terms and (labels := labelled(wired, sharding)) is not None:
            yield PartWay(sharding=sharding, labels=labels)


def _axis(type_: TensorType, length: Dim, ranks: int) -> int | None:
    """The axis of a length that ranks can cut; None if there is none, or more than one. Axis 0 has the batch's rows."""
    found = [k for k, axis in enumerate(type_.axes) if k and axis.size == length]
    return found[0] if len(found) == 1 and _uneven(type_.axes[found[0]], ranks) is None else None


def _bodies(graph: Graph) -> Iterator[Graph]:
    """A graph and the bodies in it."""
    yield graph
    for node in graph.walk():
        yield from node.regions


def _values(body: Graph) -> Sequence[Value]:
    """The values that the code of a body has in variables."""
    return [*body.inputs, *(value for node in body.nodes for value in node.outputs)]
