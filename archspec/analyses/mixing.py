"""Mixing: how ops bring positions together, with coefficients that are fixed or that depend on the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.analyses.band import Stretch
from archspec.analyses.cost import node_flops
from archspec.analyses.forward import Forward
from archspec.analyses.reading import merged
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.record import record
from archspec.relation.atoms import Atom, Relation
from archspec.relation.forms import used

MixingKind = Literal["static", "maximum", "dynamic", "unknown"]
KINDS: tuple[MixingKind, ...] = ("static", "maximum", "dynamic", "unknown")
"""`static`: a sum with coefficients that no input changes. `maximum`: one of the values, whichever is largest.
`dynamic`: coefficients depend on the input. `unknown`: the op does not say.
"""


@record
class PositionsRead:
    """Which coordinates of a value number positions of inputs, and whether its values depend on those of inputs."""

    positions: frozenset[int]
    varies: bool


@record
class Mixing:
    """FLOPs of a node by the kind of mixing, beside those of all that is in it; a kind without FLOPs has 0."""

    flops: Mapping[MixingKind, Dim]
    total: Dim


def mixing(graph: Graph, axes: Mapping[Value, Sequence[int]]) -> dict[Node, Mixing]:
    """How the nodes at the top of a graph mix positions.

    Args:
        graph: the graph.
        axes: the axes of its inputs that number positions.
    """
    walk = _Walk(graph, axes)
    walk.run(graph.nodes)
    return {node: _summed(node, walk.kinds) for node in graph.nodes}


def _summed(node: Node, kinds: Mapping[Node, MixingKind]) -> Mixing:
    found: dict[MixingKind, Dim] = {}
    for inner, times in _run(node, 1):
        if inner in kinds:
            kind = kinds[inner]
            found[kind] = found.get(kind, Dim.of(0)) + times * node_flops(inner)
    return Mixing(flops={kind: found[kind] for kind in KINDS if kind in found}, total=node_flops(node))


def _run(node: Node, times: int) -> Iterator[tuple[Node, int]]:
    """A node and those inside it, each with how often it runs."""
    yield node, times
    for number, region in enumerate(node.regions):
        count = node.op.schedule.count(number) if isinstance(node.op, Repeat) else 1
        for inner in region.nodes:
            yield from _run(inner, times * count)


class _Walk(Forward[PositionsRead]):
    """Facts about values, and the `kinds` of the primitives that mix positions."""

    def __init__(self, graph: Graph, axes: Mapping[Value, Sequence[int]]) -> None:
        super().__init__()
        self.kinds: dict[Node, MixingKind] = {}
        for value in graph.inputs:
            places = frozenset(k for axis in axes.get(value, ()) for k in value.type.coordinates[axis])
            self.facts[value] = PositionsRead(positions=places, varies=True)

    def primitive(self, node: Node, operands: Sequence[PositionsRead]) -> Sequence[PositionsRead]:
        """Positions are handed on by every constraint that relates a coordinate to one of the operand."""
        assert isinstance(node.op, Primitive)
        rows = node.reads
        # What a roll brings back from the other end of an axis is one position, and no sum of two.
        read = rows[0]
        if node.op.wraps:
            read = tuple(_on_circle(relation, x) for relation, x in zip(read, node.inputs, strict=True))
        # A kind is what was found last: in a later pass over layers more may depend on the input.
        if (kind := _kind(node, node.op, operands, read)) is not None:
            self.kinds[node] = kind
        # A norm reads a whole row for two numbers, but what it rescales stays where it is.
        kept = operands[0].positions if node.op.rescales else frozenset()
        return [
            PositionsRead(
                positions=kept.union(
                    k for one, relation in zip(operands, row, strict=True) for k in _handed(relation, one.positions)
                ),
                varies=any(one.varies and bool(read.atoms) for one, read in zip(operands, row, strict=True)),
            )
            for row in rows
        ]

    def other(self, node: Node, operands: Sequence[PositionsRead]) -> PositionsRead:
        """Nothing is known to number positions."""
        self.kinds[node] = "unknown"
        return PositionsRead(positions=frozenset(), varies=any(one.varies for one in operands))

    def joined(self, left: PositionsRead, right: PositionsRead) -> PositionsRead:
        """Either."""
        return PositionsRead(positions=left.positions | right.positions, varies=left.varies or right.varies)


def _handed(relation: Relation, positions: frozenset[int]) -> Iterator[int]:
    """The coordinates of an output that a relation ties to positions of an operand."""
    for atom in relation.atoms:
        yield from (one.out for one in atom.differences if one.inp in positions)
        for flat in atom.flats:
            if positions & set(used(flat.inp)):
                yield from used(flat.out)


def _kind(node: Node, op: Primitive, operands: Sequence[PositionsRead], row: Sequence[Relation]) -> MixingKind | None:
    """How a primitive mixes positions of what depends on the input; None where each result reads one of them."""
    mixed = [
        k
        for k, (one, relation) in enumerate(zip(operands, row, strict=True))
        if one.varies and any(not _single(relation, place) for place in one.positions)
    ]
    if not mixed:
        return None
    told = op.coefficients([value.type for value in node.inputs])
    if told is None:
        return "unknown"
    read = (k for k, relation in enumerate(row) if relation.atoms)
    varying = frozenset(k for k in read if operands[k].varies)
    if not any(told[k] & varying for k in mixed):
        return "static"
    return "maximum" if op.selects else "dynamic"


def _on_circle(relation: Relation, operand: Value) -> Relation:
    """What an op that wraps reads, with one atom for positions that are the same around a circle."""
    return Relation(merged(relation, operand.type.space)[0])


def _single(relation: Relation, place: int) -> bool:
    """Whether one position of the output reads one position along a coordinate of the operand, or none."""
    return len({_line(atom, place) for atom in relation.atoms}) <= 1 and all(_one(a, place) for a in relation.atoms)


def _line(atom: Atom, place: int) -> frozenset[object]:
    return frozenset(one for one in (*atom.differences, *atom.ranges) if getattr(one, "inp", place) == place)


def _one(atom: Atom, place: int) -> bool:
    """Whether an atom relates one position along a coordinate of the operand to each of the output."""
    if any(place in used(flat.inp) and flat.lo is not None and flat.lo == flat.hi for flat in atom.flats):
        return True
    if any(r.side == "in" and r.coordinate == place and r.lo is not None and r.lo == r.hi for r in atom.ranges):
        return True
    lines = (
        Stretch(d.a, d.b, d.lo, d.hi)
        for d in atom.differences
        if d.inp == place and d.lo is not None and d.hi is not None
    )
    return any(line.extent == 1 for line in lines)
