"""The plan of a graph: which ops run on parts, found group by group.

The order of the seeds decides which groups are found, and it depends on the structure alone, so that a reduced spec is
split as the full one, where the ranks divide both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from archspec.analyses.parameters import Group, owned_groups
from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.check import check_plan
from archspec.analyses.sharding.experts import expert_calls, expert_module, without_hooks
from archspec.analyses.sharding.gradients import GradientWires, gradients
from archspec.analyses.sharding.groups import WHOLE_LABEL, Budget, Growth, Labels
from archspec.analyses.sharding.plan import (
    WHOLE,
    Conversion,
    ConvertedRun,
    ExpertModule,
    LengthStack,
    Plan,
    StoredParameter,
    is_whole,
)
from archspec.analyses.sharding.recomputed import recomputed
from archspec.analyses.sharding.sequence import in_parts_of_length
from archspec.analyses.sharding.terms import copied
from archspec.analyses.sharding.unsplit import Reason, runs_flops, sized, unsplit
from archspec.analyses.sharding.untrained import untrained
from archspec.analyses.sharding.ways import PartWay, Ways, copies_of, has_whole_experts, plain, splits_weights, ways
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp, wiring
from archspec.ir.graph import Graph, Node, Parameter
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard

_Placed = Callable[[int], Placement]
# The rows that a rank must hold at least of a table that is split by rows.
_FEWEST_ROWS = 8
_STRICT = Budget()
_GATHERED = Budget(gathers=True)
_LOOSE = Budget(gathers=True, cuts=True)


def plan(
    graph: Graph,
    ranks: int,
    boundaries: Boundaries,
    *,
    sequence: bool = False,
    expert_parallel: bool = False,
    received: int = 0,
) -> Plan:
    """How a graph runs on `ranks` tensor ranks.

    Args:
        graph: the graph as it is emitted.
        ranks: the number of ranks; with 1, nothing is split.
        boundaries: where hooks may stand on the emitted module.
        sequence: whether ranks hold parts of the length in repeated layers, where nothing else is split.
        expert_parallel: whether ranks have whole experts, where they divide these.
        received: how many of the first inputs come from a stage before: floats have a gradient that goes back to it.

    Returns:
        the plan; what it does not split is listed in it with the reason.
    """
    is_cut = sequence and ranks > 1
    calls = {node: expert_module(node, ranks) for node in expert_calls(graph)}
    whole = {node for node, module in calls.items() if expert_parallel and module.reason is None}
    hooks = without_hooks(boundaries, calls.keys() - whole)
    wired = wiring(graph, hooks, by_layer=is_cut)
    planner = _Planner(graph, wired, hooks, ranks, received, frozenset(calls[node].path for node in whole))
    planner.run()
    if is_cut:
        planner.cut_lengths()
    made = planner.plan()
    if is_cut and not made.lengths:
        uncut = plan(graph, ranks, boundaries, expert_parallel=expert_parallel, received=received)
        return replace(uncut, stacks=made.stacks)
    faults = check_plan(graph, made, boundaries)
    # The checker shares no code with the search, so that a fault in either ends here and not in a wrong gradient.
    assert not faults, faults[0]
    modules = (planner.placed(node, module) for node, module in calls.items())
    return replace(made, experts=tuple(dict.fromkeys(modules))) if expert_parallel else made


@dataclass
class _Planner:
    """The groups that were found so far."""

    graph: Graph
    wiring: WiredGraph
    boundaries: Boundaries
    ranks: int
    received: int
    experts: frozenset[str] = frozenset()
    labels: Labels = field(default_factory=Labels)
    reasons: dict[int, Reason] = field(default_factory=dict)
    stacks: tuple[LengthStack, ...] = ()

    def __post_init__(self) -> None:
        copies = frozenset(
            copies_of(wired.node, sharding, self.ranks) for wired in self.wiring.ops for sharding in plain(wired.node)
        ) - {1}
        none = Ways(possible=(), refused=())
        is_whole = bool(self.experts)
        made = (
            ways(wired, self.ranks, copies, experts=is_whole) if self.ranks > 1 else none for wired in self.wiring.ops
        )
        self.ways: dict[int, Ways] = dict(enumerate(made))
        self.gradients: GradientWires = gradients(self.graph, self.wiring, self.received)
        possible = {number: found.possible for number, found in self.ways.items()}
        self.growth = Growth(self.wiring, possible, self.gradients.trained, self.ranks, self.experts)

    def run(self) -> None:
        """Find groups: those that end in a sum, then those that end in a gathered output, then what costs gathers.

        Whole experts come first, where they are asked for.
        """
        for number, way in self.seeds(Partial):
            if has_whole_experts(self.wiring.ops[number].node, way.sharding):
                self.take(number, way, _STRICT)
        for budget, ends in ((_STRICT, Partial), (_STRICT, Shard), (_LOOSE, Partial)):
            for number, way in self.seeds(ends):
                if number not in self.labels.ways:
                    self.take(number, way, budget)
        for number in self.before_cuts():
            self.take_alone(number)

    def cut_lengths(self) -> None:
        """Cut the length between the groups."""
        found = in_parts_of_length(self.graph, self.wiring, self.labels, self.gradients, self.ranks)
        self.labels, self.stacks = found

    def placed(self, node: Node, module: ExpertModule) -> ExpertModule:
        """A module of experts, with the reason if they are not whole on ranks although these divide them."""
        (inner,) = node.regions[0].nodes
        number = next(number for number, wired in enumerate(self.wiring.ops) if wired.node is inner)
        way = self.labels.ways.get(number)
        if module.reason is not None or (way is not None and has_whole_experts(inner, way.sharding)):
            return module
        reason = self.reasons.get(number)
        return replace(module, reason=reason.words if reason is not None else "what is around them does not allow it")

    def seeds(self, ends: type[Partial] | type[Shard]) -> Iterator[tuple[int, PartWay]]:
        """The ways of ops with weights that split these, and whose results are terms or parts."""
        for number, wired in enumerate(self.wiring.ops):
            for way in self.ways[number].possible:
                if self.is_worth(wired, way) and all(isinstance(one, ends) for one in way.sharding.results):
                    yield number, way

    def is_worth(self, wired: WiredOp, way: PartWay) -> bool:
        """Whether a way splits weights, and not a table of so few rows that joining what is looked up costs more."""
        rows = way.sharding.rows is not None
        tables = [wired.node.parameters[name].type for name, one in way.sharding.parameters.items() if one == Shard(0)]
        few = rows and any((table.shape[0].constant or 0) < _FEWEST_ROWS * self.ranks for table in tables)
        return splits_weights(way.sharding) and not few

    def take(self, number: int, way: PartWay, budget: Budget) -> None:
        """Take the group of an op if it closes."""
        found = self.growth.grow(self.labels, number, way, budget)
        if found is None:
            # What its parts would meet says more than what would have to give it parts.
            is_better = number not in self.reasons or isinstance(way.sharding.results[0], Shard)
            if is_better and (reason := self.reason()) is not None:
                self.reasons[number] = reason
            return
        if budget is _LOOSE and not self.is_worth_gathers(found):
            return
        if copied(self.wiring, found, self.gradients) is not None:
            self.labels = found

    def before_cuts(self) -> list[int]:
        """The whole ops with matrices whose results reach a group only by a cut: what is between needs all of them."""
        label = self.labels.wires.get
        # A router is small: what it gives is cut for whole experts, and not gathered before.
        others = (link for link in self.wiring.links if link.at.module not in self.experts)
        cuts = (link for link in others if isinstance(label(link.target), Shard))
        wires = [link.source for link in cuts if not isinstance(label(link.source), Shard)]
        seen, found = set(wires), []
        for wire in wires:
            makers = [
                n for n, wired in enumerate(self.wiring.ops) if wire in wired.results and n not in self.labels.ways
            ]
            maps = [n for n in makers if any(p.type.rank > 1 for p in self.wiring.ops[n].node.parameters.values())]
            found += maps
            before = [wire for n in makers if n not in maps for wire in self.wiring.ops[n].operands]
            before += [link.source for link in self.wiring.links if link.target == wire]
            wires += [one for one in before if one not in seen]
            seen.update(before)
        return list(dict.fromkeys(found))

    def take_alone(self, number: int) -> None:
        """Split one map by its results, which are gathered at once."""
        for way in self.ways[number].possible:
            if self.is_worth(self.wiring.ops[number], way) and all(isinstance(y, Shard) for y in way.sharding.results):
                found = self.growth.grow(self.labels, number, way, _GATHERED)
                is_alone = found is not None and found.ways.keys() - self.labels.ways.keys() == {number}
                if found is not None and is_alone and copied(self.wiring, found, self.gradients) is not None:
                    self.labels = found
                    return

    def is_worth_gathers(self, labels: Labels) -> bool:
        """Whether a group that gathers or cuts holds an op that computes much without weights: attention.

        One map alone would save less than its conversions cost, and a table splits everything up to the next norm.
        """
        added = (self.wiring.ops[number] for number in labels.ways.keys() - self.labels.ways.keys())
        return any(not wired.parameters and runs_flops(wired) != 0 for wired in added)

    def reason(self) -> Reason | None:
        """Why the last group does not close, as far as it is a matter of one op."""
        stuck = self.growth.stuck
        if stuck is None or stuck.op is None:
            return None
        wired = self.wiring.ops[stuck.op]
        inside = f" in `{wired.node.scope}`" if wired.node.scope else ""
        where = f"`{wired.node.path}` ({wired.op.name})" if wired.node.name else f"`{wired.op.name}`{inside}"
        size = sized(self.ways[stuck.op])
        words = f"{where}: {size}" if size else f"{where} needs all of it"
        return Reason(words=words, span=wired.node.span, help=size.help if size else None)

    def plan(self) -> Plan:
        """The plan of what was found."""
        terms = copied(self.wiring, self.labels, self.gradients) or frozenset()

        def placement(wire: int) -> Placement:
            label = self.labels.wires.get(wire, WHOLE_LABEL)
            if label != WHOLE_LABEL:
                return label
            return Copied() if wire in terms else Replicate()

        nodes = {
            wired.node: self.labels.ways[number].sharding if number in self.labels.ways else WHOLE
            for number, wired in enumerate(self.wiring.ops)
        }
        return Plan(
            ranks=self.ranks,
            parameters=tuple(self.stored(placement)),
            values={value: placement(wire) for value, wire in self.wiring.values.items()},
            nodes=nodes,
            conversions=tuple(self.conversions(placement)),
            unsplit=unsplit(self.wiring, nodes, self.ways, self.reasons),
            stacks=self.stacks,
        )

    def conversions(self, placement: _Placed) -> Iterator[Conversion]:
        """What hooks convert."""
        again = recomputed(self.graph, self.wiring, self.gradients, self.boundaries)
        still = untrained(self.graph, self.wiring, self.boundaries, self.received)
        for link in self.wiring.links:
            source, target = placement(link.source), placement(link.target)
            has_gradient = link.target in self.gradients.possible
            if source != target and (has_gradient or not (is_whole(source) and is_whole(target))):
                yield Conversion(
                    at=link.at,
                    source=source,
                    target=target,
                    runs=tuple(
                        ConvertedRun(
                            type=type_,
                            times=times,
                            again=again.at(link.at, type_),
                            still=still.at(link.at, type_),
                        )
                        for type_, times in link.runs
                    ),
                    has_gradient=self.has_gradient(link.target),
                    span=link.span,
                )

    def stored(self, placement: _Placed) -> Iterator[StoredParameter]:
        """Every parameter and buffer, once."""
        reads: Counter[Parameter] = Counter()
        for wired in self.wiring.ops:
            reads.update(dict.fromkeys(wired.node.parameters.values(), wired.times))
        groups: dict[Parameter, Group] = {}
        for group in owned_groups(self.graph):
            groups.setdefault(group.parameter, group)
        for parameter, group in groups.items():
            wire = self.wiring.parameters[parameter]
            placed = placement(wire)
            count = self.ranks // placed.copies if isinstance(placed, Shard) else 1
            yield StoredParameter(
                group=group,
                placement=placed,
                rank_elements=group.elements // count,
                has_gradient=self.has_gradient(wire),
                reads=reads[parameter],
            )

    def has_gradient(self, wire: int) -> bool:
        """Whether a backward pass comes to a wire and has a parameter behind it."""
        return wire in self.gradients.trained and wire in self.gradients.received
