"""The share of a decoder's cache that one tensor rank holds."""

from __future__ import annotations

from archspec.analyses.cache import KeptValue
from archspec.analyses.sharding.collectives import rank_elements
from archspec.analyses.sharding.plan import Plan
from archspec.ir.graph import Graph
from archspec.ir.placement import Placement, Replicate, Shard


def cache_share(state: tuple[KeptValue, ...], graph: Graph, plan: Plan) -> float:
    """The bytes of a rank's cache for each position, over those of the model; 1 where nothing of it is split.

    Args:
        state: what the decoder keeps.
        graph: the graph that was planned.
        plan: the plan.
    """
    whole = sum(one.position_bytes.typical() for one in state)
    if not whole:
        return 1.0
    placed = _placements(graph, plan)
    return sum(_bytes(one, placed.get(one.path, Replicate()), plan.ranks) for one in state) / whole


def _placements(graph: Graph, plan: Plan) -> dict[str, Placement]:
    """The placement of every value by its path, as the last node of that name leaves it."""
    found: dict[str, Placement] = {}
    for node in graph.walk():
        for value in node.outputs:
            found[".".join(part for part in (node.scope, value.name) if part)] = plan.values[value]
    return found


def _bytes(one: KeptValue, placement: Placement, ranks: int) -> float:
    own = one.position_bytes.typical()
    if not isinstance(placement, Shard) or one.axis == placement.axis + one.layers:
        return own
    row = one.type.with_axes(*one.type.axes[one.layers :])
    return own * rank_elements(row, placement, ranks).typical() / row.elements().typical()
