"""What the tensor ranks of one group run together: a model, or one stage of it, with its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from archspec.analyses.parameters import Group, expand, numbered
from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.plan import Plan, StoredParameter
from archspec.analyses.sharding.planner import plan
from archspec.analyses.sharding.splits import check_splits, splits
from archspec.diagnostics import fail
from archspec.ir.graph import Graph
from archspec.lower.boundaries import boundaries
from archspec.parallel.cutting import StageGraph
from archspec.parallel.staging import StagedModel
from archspec.record import record


@record(eq=False)
class RankPart:
    """A model or a stage, as it is emitted: where hooks may stand on it, and its plan; `stage` is None of a model."""

    graph: Graph
    boundaries: Boundaries
    plan: Plan
    stage: StageGraph | None = None

    @property
    def names(self) -> Iterator[str]:
        """The name in the model of every tensor."""
        return map(self._in_model, expand(self.graph))

    @property
    def stored(self) -> Iterator[tuple[str, StoredParameter]]:
        """How every parameter and buffer is stored, by its name in the model."""
        for one in self.plan.parameters:
            for layers in product(*one.group.layers):
                yield self._in_model(numbered(one.group.pattern, layers)), one

    def in_model(self, group: Group) -> Group:
        """A group with the numbers that its layers have in the model."""
        if self.stage is None or not group.layers:
            return group
        first = self.stage.first_layers.get(group.pattern.partition(".*.")[0], 0)
        return replace(group, layers=(tuple(first + layer for layer in group.layers[0]), *group.layers[1:]))

    def _in_model(self, name: str) -> str:
        return name if self.stage is None else self.stage.name_in_model(name)


def model_part(graph: Graph, ranks: int, *, sequence: bool = False, expert_parallel: bool = False) -> RankPart:
    """A whole model on tensor ranks.

    With `sequence`, they hold parts of the length where nothing else is split, with `expert_parallel` whole experts.
    """
    found = boundaries(graph)
    made = plan(graph, ranks, found, sequence=sequence, expert_parallel=expert_parallel)
    return RankPart(graph=graph, boundaries=found, plan=made)


def stage_parts(name: str, made: StagedModel, ranks: int, *, expert_parallel: bool = False) -> tuple[RankPart, ...]:
    """The stages of a model, each on as many tensor ranks.

    A stage is planned by itself, since what it is given and what it sends is whole. So it may be split in another way
    than the whole model, where that would have parts of a value at the cut. With `expert_parallel`, ranks have whole
    experts.

    Raises:
        SpecError: E900 if nothing is split in any stage, E920 if stages split a parameter differently that both hold.
    """
    parts = tuple(_stage_part(stage, ranks, expert_parallel) for stage in made.graphs)
    if ranks > 1 and not any(splits(part.plan) for part in parts):
        check_splits(name, parts[0].plan)
    _check_tied(parts, ranks)
    return parts


def _stage_part(stage: StageGraph, ranks: int, expert_parallel: bool) -> RankPart:
    found = boundaries(stage.graph)
    made = plan(stage.graph, ranks, found, expert_parallel=expert_parallel, received=stage.received)
    return RankPart(graph=stage.graph, boundaries=found, plan=made, stage=stage)


def _check_tied(parts: Sequence[RankPart], ranks: int) -> None:
    """Raise E920 unless every parameter is stored alike in all stages that hold it."""
    known: dict[str, StoredParameter] = {}
    for name, one in (item for part in parts for item in part.stored):
        if not one.parameter.buffer and known.setdefault(name, one).placement != one.placement:
            message = f"`{name}` is tied, and stages split it differently over {ranks} tensor ranks"
            fail("E920", message, one.parameter.span, help="leave out `--parallel`, or untie the parameter")


def together(parts: Sequence[RankPart]) -> tuple[StoredParameter, ...]:
    """The parameters and buffers of a model, each once: layers of several stages that are stored alike as one."""
    if len(parts) == 1:
        return parts[0].plan.parameters
    found: dict[object, StoredParameter] = {}
    for part in parts:
        for one in part.plan.parameters:
            own = part.in_model(one.group)
            key = own.pattern, own.layers[1:], one.parameter.type, one.placement
            known = found.get(key)
            found[key] = _with(replace(one, group=own), known) if known else replace(one, group=own)
    return tuple(found.values())


def _with(one: StoredParameter, known: StoredParameter) -> StoredParameter:
    """The same in the layers of both; a parameter that several stages hold is there once."""
    return replace(
        one,
        group=replace(one.group, layers=tuple(map(_union, known.group.layers, one.group.layers))),
        has_gradient=one.has_gradient or known.has_gradient,
        reads=one.reads + known.reads,
    )


def _union(known: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({*known, *more}))
