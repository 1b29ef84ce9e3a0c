"""The graphs of all ranks, interpreted together, give what the whole graph gives; mutants of one rank do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from archspec.analyses.parameters import expand
from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.ir.graph import Graph
from archspec.ir.parts import part_of_parameter
from archspec.ir.placement import Partial, Shard
from archspec.ir.rank_exchange import AllReduce, RankExchange
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import Rewriter, everywhere
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.model.ports import interface_of
from archspec.model.runner import Array
from archspec.model.samples import sample
from archspec.model.sizes import example
from archspec.oracle.interpreter import interpret
from archspec.oracle.ranks import RanksDiffer, interpret_ranks
from archspec.passes.shard import shard
from archspec.spec import Spec, load
from tests.analyses.sharding.test_ranks import WIDER, drawn
from tests.mutation.shipped import ranked

BOUND = 1e-10
FAST = ("gpt2", "llama-3.2-1b", "minilm-l6", "vit-b16", "transformer-base", "t5-base", "mixtral-8x7b", "resnet-50")


class Sharded:
    """A spec with the graphs and the parameters of its ranks."""

    def __init__(self, spec: Spec, ranks: int) -> None:
        self.spec, self.graph = spec, with_masks(spec)
        hooks = boundaries(self.graph)
        self.plan: Plan = plan(self.graph, ranks, hooks)
        self.graphs = [shard(self.graph, self.plan, hooks, rank) for rank in range(ranks)]
        self.whole = {key: one.numpy() for key, one in drawn(self.graph).items()}
        self.parts = [self.of(rank) for rank in range(ranks)]
        self.sizes = example(spec.dims.values())
        self.inputs = sample(interface_of(spec), self.sizes, 0)

    def of(self, rank: int) -> dict[str, Array]:
        """The parameters of a rank."""
        placed = {one.parameter: one.placement for one in self.plan.parameters}
        owners = expand(self.graph)
        return {
            key: part_of_parameter(one, placed[owners[key]], rank, self.plan.ranks) for key, one in self.whole.items()
        }

    def differs(self, graphs: Sequence[Graph], parts: Sequence[Mapping[str, Array]]) -> float:
        """The largest difference of any rank's outputs from the whole, relative to the largest value."""
        wanted = interpret(self.graph, self.inputs, self.whole, self.sizes)
        found = interpret_ranks(graphs, self.inputs, parts, self.sizes)
        apart = (
            np.max(np.abs(one[key] - y)) / max(1.0, np.max(np.abs(y))) for one in found for key, y in wanted.items()
        )
        return float(max(apart))


def sharded(name: str, ranks: int) -> Sharded:
    return Sharded(load(name, reduced=True, set=WIDER.get(name, ())), ranks)


@pytest.mark.parametrize("name", FAST)
def test_two_ranks_compute_what_the_whole_computes(name: str) -> None:
    check(sharded(name, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", ranked())
def test_ranks_of_every_spec_compute_what_the_whole_computes(name: str) -> None:
    for ranks in (2, 4):
        check(sharded(name, ranks))


def check(made: Sharded) -> None:
    """Values, shapes of parameters and numbers of exchanges are those of the whole and of the plan."""
    assert made.differs(made.graphs, made.parts) <= BOUND
    for graph, parts in zip(made.graphs, made.parts, strict=True):
        shapes = {key: tuple(size.value({}) for size in one.type.shape) for key, one in expand(graph).items()}
        assert shapes == {key: one.shape for key, one in parts.items()}
        forward = [one for one in collectives(made.plan) if one.phase == "forward"]
        planned = Counter(one.kind for one in forward for _ in range(one.times))
        assert exchanges(graph) == planned


def exchanges(graph: Graph) -> Counter[str]:
    """How often each kind of exchange runs in a forward pass."""
    found: Counter[str] = Counter()
    for node in graph.nodes:
        if isinstance(node.op, RankExchange):
            found[node.op.kind] += 1
        for number, region in enumerate(node.regions):
            times = node.op.schedule.count(number) if isinstance(node.op, Repeat) else 1
            found += Counter({kind: times * count for kind, count in exchanges(region).items()})
    return found


def without(number: int) -> Callable[[Graph], Graph]:
    """Leave out one sum: its operand takes its place."""

    def change(graph: Graph) -> Graph:
        left = [number]

        def edit(rewriter: Rewriter) -> None:
            for node in rewriter.graph.nodes:
                if isinstance(node.op, AllReduce):
                    if left[0] == 0:
                        rewriter.replace_value(node.outputs[0], node.inputs[0])
                        rewriter.remove(node)
                    left[0] -= 1

        return everywhere(graph, edit)

    return change


@pytest.fixture(scope="module")
def gpt2() -> Sharded:
    return sharded("gpt2", 2)


def test_an_exchange_that_every_rank_leaves_out_is_caught(gpt2: Sharded) -> None:
    count = sum(isinstance(node.op, AllReduce) for node in gpt2.graphs[0].walk())
    assert count >= 3
    for number in range(count):
        mutants = [without(number)(graph) for graph in gpt2.graphs]
        assert gpt2.differs(mutants, gpt2.parts) > 1e-3, number


def test_an_exchange_that_one_rank_leaves_out_is_caught(gpt2: Sharded) -> None:
    with pytest.raises(RanksDiffer):
        gpt2.differs([gpt2.graphs[0], without(0)(gpt2.graphs[1])], gpt2.parts)


def test_parts_of_another_rank_are_caught(gpt2: Sharded) -> None:
    split = [one for one in gpt2.plan.parameters if isinstance(one.placement, Shard | Partial)]
    # A bias of all keys adds the same to every score of a query, and changes no weight.
    split = [one for one in split if not one.parameter.path.endswith("k.bias")]
    assert len(split) >= 8
    names = expand(gpt2.graphs[0])
    for one in split:
        wrong = [dict(parts) for parts in gpt2.parts]
        for key in (key for key, found in names.items() if found.path == one.parameter.path):
            wrong[1][key] = gpt2.parts[0][key]
        assert gpt2.differs(gpt2.graphs, wrong) > 1e-4, one.parameter.path


def test_rows_of_another_rank_are_caught(gpt2: Sharded) -> None:
    assert gpt2.differs([gpt2.graphs[0], gpt2.graphs[0]], gpt2.parts) > 1e-3
