"""Round what a decoder keeps, so that eight bits hold it."""

from __future__ import annotations

from collections.abc import Collection

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.rewriter import Rewriter
from archspec.ops.elementwise.rounded import Rounded
from archspec.passes.base import Pass
from archspec.passes.incremental.incremental import kept_values
from archspec.passes.round_operands import Scales, rounding
from archspec.record import record


@record
class RoundKept(Pass):
    """Values of which a cached step keeps past entries are rounded to int8, with a scale for each feature of a head.

    The step keeps their integers. The full forward rounds the same values, so that both compute the same. `fed` is the
    input that steps are fed, `output` what they give.

    Given:  `%k = rotary(%1); %y = attention(%q, %k, %v)`
    Result: `%k = rotary(%1); %r = rounded(%k) @k_kept {axes=1,3} [scale: float[2, 1, 64]]; %y = attention(%q, %r, ..)`

    Precondition: the graph has a step. What only the step computes, such as latents that heads absorb, is not rounded.
    """

    name = "round_kept"

    fed: str
    output: str

    def apply(self, graph: Graph) -> Graph:
        """Round in every body."""
        return round_kept(graph, self.fed, self.output)[0]


def round_kept(graph: Graph, fed: str, output: str) -> tuple[Graph, Rewriter]:
    """The graph with what its step keeps rounded, and the rewriter that knows the moved values.

    Raises SpecError E748 for a graph without a step.
    """
    return _body(graph, frozenset(kept_values(graph, fed, [output])), {})


def _body(graph: Graph, kept: Collection[Value], scales: Scales) -> tuple[Graph, Rewriter]:
    """A body in which some values are rounded; `scales` are those of all bodies."""
    rewriter = Rewriter(graph)
    names = {node.name for node in graph.nodes}
    for node in graph.nodes:
        regions, outputs = [_body(region, kept, scales)[0] for region in node.regions], node.outputs
        if any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            outputs = rewriter.change(node, regions=regions)
        for old, value in zip(node.outputs, outputs, strict=True):
            if old in kept:
                rewriter.replace_value(old, _round(rewriter, node, value, names, scales))
    return rewriter.finish(), rewriter


def _round(rewriter: Rewriter, node: Node, value: Value, names: set[str], scales: Scales) -> Value:
    """Round an output of a node."""
    # Rows are axis 0; positions are the axis whose size has the dim that grows, which has no scales of its own.
    axes = tuple(number for number, size in enumerate(value.type.shape) if number and size.is_constant)
    stem = f"{value.name or node.name or node.op.name}_kept".replace(".", "_")
    made = rounding(Rounded(grid="int8", axes=axes), value, value.name, node, stem, names, scales)
    rewriter.insert(made, after=node)
    return made.outputs[0]
