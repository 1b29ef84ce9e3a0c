"""Depth: how many ops with weights follow one another on the way to a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.analyses.cost import node_flops
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat


def depth(graph: Graph, value: Value) -> int:
    """The most ops with weights and FLOPs on a path to a value: linear maps, convolutions and experts, layer by layer.

    Args:
        graph: the graph.
        value: an input, or what a node at its top computes.
    """
    known = dict.fromkeys(graph.inputs, 0)
    _run(graph.nodes, known)
    return known[value]


def _run(nodes: Iterable[Node], known: dict[Value, int]) -> None:
    """Walk over nodes in order; the depths of what they read are known."""
    for node in nodes:
        known.update(zip(node.outputs, _node(node, [known[value] for value in node.inputs]), strict=True))


def _node(node: Node, operands: Sequence[int]) -> Sequence[int]:
    """The depths of the outputs of a node."""
    match node.op:
        case Call():
            return _region(node.regions[0], operands)
        case Repeat():
            return _repeat(node, node.op, operands)
        case _:
            has_weights = bool(node.parameters) and node_flops(node) != 0
            return [max(operands, default=0) + has_weights] * len(node.outputs)


def _region(region: Graph, operands: Sequence[int]) -> list[int]:
    known = dict(zip(region.inputs, operands, strict=True))
    _run(region.nodes, known)
    return [known[value] for value in region.outputs]


def _repeat(node: Node, op: Repeat, operands: Sequence[int]) -> list[int]:
    """The depths of the last carried value, of the taps, and of values that are stacked over the layers."""
    carried, taken, deepest = operands[0], {}, 0
    for layer, body in enumerate(op.schedule):
        found = _region(node.regions[body], [carried, *operands[1:]])
        carried, deepest = found[0], max(deepest, *found)
        taken.update({(tap.layer, tap.output): found[tap.output] for tap in op.taps if tap.layer == layer})
    return [carried, *(taken[tap.layer, tap.output] for tap in op.taps), *(deepest for _ in op.stacks)]
