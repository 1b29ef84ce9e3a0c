"""Which run-time sizes an op mentions: in its attributes, in its types, or in its mask."""

from __future__ import annotations

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Op
from archspec.ir.types import TensorType
from archspec.record import field_names

NONE: frozenset[Symbol] = frozenset()


def sizes_in(thing: object) -> frozenset[Symbol]:
    """The run-time sizes that occur in an op, a type or anything inside them."""
    match thing:
        # Most of what an op holds: asked first, as the abstract classes below are slow to ask.
        case None | str() | int() | float():
            return NONE
        case Dim() | Scalar():
            return frozenset(thing.symbols())
        # Types are asked about more often than all else that is below.
        case TensorType():
            bound = NONE if thing.bound is None else thing.bound.symbols()
            return bound.union(*(size.symbols() for size in thing.space if size.constant is None))
        case tuple() | list():
            return NONE.union(*map(sizes_in, thing))
        # Ops, types and masks are records: their fields are searched without naming any of them.
        case _:
            return NONE.union(*(sizes_in(getattr(thing, name)) for name in field_names(thing)))


def sizes_meant(op: Op) -> frozenset[Symbol]:
    """The run-time sizes that an op's fields read, except those that only give the shape of a result."""
    return NONE.union(*(sizes_in(getattr(op, name)) for name in field_names(op) if name not in op.sized))


def sizes_of(node: Node) -> frozenset[Symbol]:
    """The run-time sizes that a node, its output types, and all nodes inside it mention."""
    own = [sizes_in(node.op), *(sizes_in(value.type) for value in node.outputs)]
    return NONE.union(*own, *(sizes_of(inner) for region in node.regions for inner in region.nodes))


def counts_positions(graph: Graph, size: Symbol) -> bool:
    """Whether a value or offset in a graph, other than a shape, is computed from the number of positions.

    If none is, and the graph is causal, the result at a position does not depend on how many positions follow.
    """
    return any(size in sizes_meant(node.op) for node in graph.walk())
