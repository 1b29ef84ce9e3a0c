"""Remove nodes without effect, and operands of bodies that do not use them."""

from __future__ import annotations

from collections.abc import Collection

from archspec.ir.graph import Graph, Node
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
        return _body(graph, keep=range(len(graph.inputs)))[0]


def _body(graph: Graph, keep: Collection[int]) -> tuple[Graph, list[int]]:
    """The pruned body and the numbers of the inputs that it keeps.

    Inputs numbered in `keep` stay even where nothing reads them.
    """
    inside = Rewriter(graph)
    for node in graph.nodes:
        if node.regions:
            _inside(inside, node)
    nodes = Rewriter(inside.finish())
    nodes.delete_dead(keep=_holds_state)
    body = nodes.finish()
    read = [number for number, value in enumerate(body.inputs) if number in keep or body.uses(value)]
    inputs = Rewriter(body)
    inputs.inputs[:] = [body.inputs[number] for number in read]
    return inputs.finish(), read


def _inside(rewriter: Rewriter, node: Node) -> None:
    """Prune the regions of a node, and drop the operands that none of them reads."""
    first = [_body(region, keep=range(node.op.carried)) for region in node.regions]
    # All bodies of a repeat have the same inputs: an operand stays in each if one of them reads it.
    kept = sorted({number for _, read in first for number in read})
    regions = [_body(region, keep=kept)[0] for region in node.regions]
    if any(new is not old for new, old in zip(regions, node.regions, strict=True)):
        op = node.op.of_operands(kept)
        rewriter.change(node, op=op, inputs=[node.inputs[number] for number in kept], regions=regions)


def _holds_state(node: Node) -> bool:
    # A parameter that nothing reads is still part of a checkpoint.
    return bool(node.owned) or any(inner.owned for region in node.regions for inner in region.walk())
