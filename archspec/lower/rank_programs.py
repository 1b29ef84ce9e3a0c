"""The programs of tensor ranks: a plan, and for each rank the module of its graph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from archspec.analyses.parameters import expand
from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.analyses.sharding.splits import check_splits
from archspec.ir.graph import Graph
from archspec.ir.placement import Placement
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import emit_graph, with_masks
from archspec.lower.naming import class_name
from archspec.model.checked import Checked
from archspec.passes.shard import shard
from archspec.record import record
from archspec.spec import Spec


@record(eq=False)
class RankPlan:
    """How a spec runs on tensor ranks: its graph as it is emitted, the plan, and the graph of each rank."""

    spec: Spec
    graph: Graph
    plan: Plan
    graphs: tuple[Graph, ...]

    @cached_property
    def placements(self) -> Mapping[str, Placement]:
        """Where each stored parameter is, by its name in the module."""
        placed = {one.parameter: one.placement for one in self.plan.parameters}
        return {name: placed[parameter] for name, parameter in expand(self.graph).items()}

    @property
    def module(self) -> str:
        """The name of the class of each rank's module."""
        return class_name(self.spec.name)

    def texts(self, checked: Checked) -> list[str]:
        """The PyTorch file of each rank, whose exchanges are calls of `torch.distributed` over its default group.

        Raises SpecError E501 or E502 if a module cannot express a rank's graph.
        """
        given = ((name, one.default) for name, one in self.spec.inputs.items())
        defaults = {name: default for name, default in given if default is not None}
        return [emit_graph(graph, self.spec.name, checked, defaults) for graph in self.graphs]


def rank_plan(spec: Spec, ranks: int) -> RankPlan:
    """Split a spec over tensor ranks.

    Raises SpecError E900 if nothing can be split, E921 for an op or an exchange that a rank cannot run.
    """
    graph = with_masks(spec)
    hooks = boundaries(graph)
    made = plan(graph, ranks, hooks)
    check_splits(spec.name, made)
    return RankPlan(
        spec=spec, graph=graph, plan=made, graphs=tuple(shard(graph, made, hooks, rank) for rank in range(ranks))
    )
