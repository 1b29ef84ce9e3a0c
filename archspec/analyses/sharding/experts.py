"""Whole experts on ranks: the modules of experts, and which of them have hooks.

Such a module is given the weights of a rank's experts alone, and leaves terms of their sum. Where experts are split by
their hidden features, hooks at it would only cost exchanges: what reads the same values outside of it has them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.plan import ExpertModule
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Primitive


def expert_calls(graph: Graph) -> Iterator[Node]:
    """The calls of modules that hold stacked maps alone."""
    for node in graph.walk():
        if isinstance(node.op, Call) and len(node.regions[0].nodes) == 1 and _is_stack(*node.regions[0].nodes):
            yield node


def expert_module(node: Node, ranks: int) -> ExpertModule:
    """The module that such a call runs, with the reason if there are no ranks that divide its experts."""
    assert isinstance(node.op, Call)
    (inner,) = node.regions[0].nodes
    count = next(iter(inner.parameters.values())).type.shape[0].constant or 0
    reason = f"{count} experts are not divisible by {ranks}" if count % ranks else None
    reason = "there is one tensor rank" if ranks == 1 else reason
    return ExpertModule(path=node.op.module, count=count, reason=reason, span=node.span)


def without_hooks(boundaries: Boundaries, calls: Iterable[Node]) -> Boundaries:
    """Boundaries without those of some calls."""
    left_out = set(calls)
    return {crossing: at for crossing, at in boundaries.items() if crossing.node not in left_out}


def _is_stack(node: Node) -> bool:
    if not isinstance(node.op, Primitive):
        return False
    return any(one.stacked for one in node.op.parameters(*(x.type for x in node.inputs)).values())
