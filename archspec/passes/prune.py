"""Remove nodes without effect, and operands of bodies that do not use them."""

from __future__ import annotations

from dataclasses import replace

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import Rewriter
from archspec.passes.base import Pass
from archspec.record import record


@record
class Prune(Pass):
    """Drop unused nodes and unused operands of modules. Inputs of the whole graph and carried values stay.

    Given:  `%y = call(%x, %mask) { (%x, %mask): %h = linear(%x); return %h }`
    Result: `%y = call(%x) { (%x): %h = linear(%x); return %h }`

    A node that owns parameters stays: they are part of the state.
    """

    name = "prune"

    def apply(self, graph: Graph) -> Graph:
        """Prune from the innermost bodies outwards."""
        pruned = _body(graph, keep=range(len(graph.inputs)))
        return graph if pruned is None else pruned[0]


def _body(graph: Graph, keep: range | list[int]) -> tuple[Graph, list[int]] | None:
    """The pruned body and the numbers of the inputs that it keeps; None where nothing changes.

    Inputs numbered in `keep` stay even where nothing reads them.
    """
    nodes = {node: _node(node) for node in graph.nodes}
    live, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        # A parameter that nothing reads is still part of a checkpoint.
        if live & set(node.outputs) or _holds_state(node):
            kept.append(node)
            live.update(_operands(node, nodes[node]))
    inputs = [number for number, value in enumerate(graph.inputs) if value in live or number in keep]
    same = len(inputs) == len(graph.inputs) and len(kept) == len(graph.nodes)
    if same and all(made is None for made in nodes.values()):
        return None
    copied = Rewriter(graph)
    copied.inputs = [copied.inputs[number] for number in inputs]
    for node in reversed(kept):
        made = nodes[node]
        regions = None if made is None else made[0]
        copied.add(node, copied.operands(_operands(node, made)), op=_op(node, made), regions=regions)
    return copied.finish(), inputs


def _node(node: Node) -> tuple[list[Graph], list[int]] | None:
    """Pruned regions and the numbers of the operands that they still take; None where nothing changes."""
    if not node.regions:
        return None
    carried = [0] if isinstance(node.op, Repeat) else []
    first = [_body(region, keep=carried) for region in node.regions]
    everything = list(range(len(node.inputs)))
    kept = sorted({n for one in first for n in (one[1] if one is not None else everything)})
    if len(kept) == len(everything) and all(one is None for one in first):
        return None
    # All bodies of a repeat have the same inputs: an operand stays in each if one of them reads it.
    again = [_body(region, keep=kept) for region in node.regions]
    bodies = [region if one is None else one[0] for region, one in zip(node.regions, again, strict=True)]
    return bodies, kept


def _operands(node: Node, made: tuple[list[Graph], list[int]] | None) -> list[Value]:
    return list(node.inputs) if made is None else [node.inputs[number] for number in made[1]]


def _op(node: Node, made: tuple[list[Graph], list[int]] | None) -> Op:
    """The op of a node, with the numbers that its operands have where some are dropped."""
    if made is None or not isinstance(node.op, Repeat):
        return node.op
    kept = [one for one in node.op.scans if one.operand is None or one.operand in made[1]]
    scans = [one if one.operand is None else replace(one, operand=made[1].index(one.operand)) for one in kept]
    return replace(node.op, scans=tuple(scans))


def _holds_state(node: Node) -> bool:
    return bool(node.owned) or any(inner.owned for region in node.regions for inner in region.walk())
