"""Which values that a decoder keeps are keys of attentions under causality alone."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.graph import Graph, Node, Value
from archspec.masks.at_positions import AtPositions
from archspec.masks.atoms.causal import Causal
from archspec.ops.attention.attention import Attention
from archspec.ops.state.write_positions import WritePositions

_KEYS = 1


def causal_keys(step: Graph) -> frozenset[str]:
    """The inputs of a step that are read only as keys of attentions that have no mask but causality.

    An attention with a window, a bias, a cap or a sink is none of these.
    """
    found = set()
    for value in step.inputs:
        readers = list(_readers(step, value))
        if readers and all(place == _KEYS and _is_causal(node) for node, place in readers):
            found.add(value.name)
    return frozenset(found)


def _readers(graph: Graph, value: Value) -> Iterator[tuple[Node, int]]:
    """Yield the nodes that read a value, inside regions too, with the places of their inputs; a write passes it on."""
    for node in graph.nodes:
        for place, operand in enumerate(node.inputs):
            if operand is not value:
                continue
            if node.regions:
                for region in node.regions:
                    yield from _readers(region, region.inputs[place])
            elif isinstance(node.op, WritePositions) and not place:
                yield from _readers(graph, node.outputs[0])
            else:
                yield node, place


def _is_causal(node: Node) -> bool:
    op = node.op
    if not isinstance(op, Attention) or not isinstance(op.mask, AtPositions):
        return False
    plain = not (op.bias or op.weights or op.factor) and op.softcap is None and op.sink is None
    return plain and op.mask.mask == Causal()
