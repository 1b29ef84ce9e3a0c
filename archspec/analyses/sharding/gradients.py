"""Which values a gradient flows back through."""

from __future__ import annotations

from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.record import record


@record(eq=False)
class GradientWires:
    """Wires with a gradient: `trained` of those that depend on a parameter, of this stage or of one before it;
    `possible` also on a float input.

    `received` are those on which a float output depends, so that a backward pass comes to them.
    """

    possible: frozenset[int]
    trained: frozenset[int]
    received: frozenset[int]


def gradients(graph: Graph, wiring: WiredGraph, received: int = 0) -> GradientWires:
    """The wires of a graph that have a gradient; the first `received` inputs come from a stage before it."""
    given = tuple(zip(graph.inputs, wiring.inputs, strict=True))
    inputs, before = (
        frozenset(wire for value, wire in some if value.type.dtype is DType.FLOAT) for some in (given, given[:received])
    )
    own = frozenset(wire for one, wire in wiring.parameters.items() if one.trainable and not one.buffer)
    return GradientWires(
        possible=_reached(wiring, inputs | own),
        trained=_reached(wiring, before | own),
        received=_received(wiring),
    )


def _reached(wiring: WiredGraph, start: frozenset[int]) -> frozenset[int]:
    """The wires that depend on one of `start` by way of floats."""
    found, before = set(start), -1
    # Repeated layers carry a value back to their start, so that one pass may not be enough.
    while len(found) > before:
        before = len(found)
        for wired in wiring.ops:
            if any(wire in found for wire in senders(wired)):
                pairs = zip(wired.node.outputs, wired.results, strict=True)
                found.update(wire for value, wire in pairs if value.type.dtype is DType.FLOAT)
        found.update(link.target for link in wiring.links if link.source in found)
    return frozenset(found)


def _received(wiring: WiredGraph) -> frozenset[int]:
    """The wires on which an output depends by way of floats."""
    found, before = set(wiring.outputs), -1
    while len(found) > before:
        before = len(found)
        found.update(link.source for link in wiring.links if link.target in found)
        for wired in reversed(wiring.ops):
            pairs = zip(wired.node.outputs, wired.results, strict=True)
            if any(wire in found for value, wire in pairs if value.type.dtype is DType.FLOAT):
                found.update(senders(wired))
    return frozenset(found)


def senders(wired: WiredOp) -> tuple[int, ...]:
    """The wires of the parameters and of the float operands to which an op sends a gradient back."""
    operands, parameters = sends(wired)
    return (*(wired.operands[k] for k in operands), *(wired.parameters[name] for name in parameters))


def sends(wired: WiredOp) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The numbers of the float operands, and the names of the parameters, to which an op sends a gradient back."""
    read = {k for row in wired.node.reads for k, relation in enumerate(row) if relation.atoms}
    floats = (k for k in read if wired.node.inputs[k].type.dtype is DType.FLOAT)
    declared = wired.op.parameters(*(x.type for x in wired.node.inputs))
    return tuple(sorted(floats)), tuple(name for name in wired.parameters if not declared[name].chooses)
