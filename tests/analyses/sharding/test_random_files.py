"""Random files at 2, 3, 4 and 8 ranks: every plan is sound, and its ranks compute what the whole computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from archspec.analyses.parameters import expand
from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.ir.graph import Graph
from archspec.ir.parts import part_of_parameter
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import example
from archspec.oracle.interpreter import interpret
from archspec.oracle.ranks import interpret_ranks
from archspec.passes.shard import shard
from archspec.spec import load
from tests.analyses.sharding.ranks_in_one import Ranks
from tests.analyses.sharding.test_ranks import check_gradient, drawn, losses
from tests.yaml_fuzz.make import file_of

SEED = 0
FEW, MANY = 2, 150
FOUND = [66, 156]
"""Values of one wire that keep other factors of an axis; a constant that enters the first and only layer."""
WITH_EXPERTS = [171, 225, 290, 292, 338, 344, 465, 472, 512, 515, 542]
PARTS = 3
RANKS = (2, 3, 4, 8)
BOUND = 1e-9
WAYS = ((False, False), (True, False), (False, True))
"""Whether the length is cut, and whether ranks have whole experts."""
Arrays = Mapping[str, np.ndarray]


@pytest.mark.parametrize("number", [*range(FEW), *FOUND])
def test_a_random_file(number: int, tmp_path: Path) -> None:
    check(number, tmp_path)


@pytest.mark.parametrize(
    "number", [*WITH_EXPERTS[:2], *(pytest.param(one, marks=pytest.mark.slow) for one in WITH_EXPERTS[2:])]
)
def test_a_random_mixture(number: int, tmp_path: Path) -> None:
    check(number, tmp_path, whole_experts=True)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_random_files(part: int, tmp_path: Path) -> None:
    split = sum(check(number, tmp_path) for number in range(FEW + part, MANY, PARTS))
    assert split > MANY // PARTS


def check(number: int, folder: Path, *, whole_experts: bool = False) -> int:
    """Check every plan of a file; returns how many of them split something.

    With `whole_experts`, ranks have these in some plan.
    """
    # Two and three ranks divide six experts.
    text = file_of(SEED, number).text().replace("experts: {count: 3,", "experts: {count: 6,")
    (folder / "file.yaml").write_text(text)
    spec = load(folder / "file.yaml")
    graph = with_masks(spec)
    hooks, sizes = boundaries(graph), example(spec.dims.values())
    inputs, parameters = sample(interface_of(spec), sizes, 0), drawn(graph)
    weights = {key: one.numpy() for key, one in parameters.items()}
    wanted = interpret(graph, inputs, weights, sizes)
    if not all(np.isfinite(one).all() for one in wanted.values()):
        return 0
    tensors = {key: torch.tensor(one) for key, one in inputs.items()}
    tensors = {key: one.double() if one.is_floating_point() else one for key, one in tensors.items()}
    whole = Ranks(plan(graph, 1, hooks), hooks, dict(sizes), parameters)
    results = whole.run(graph, tensors)
    trained = any(each[0].requires_grad for each in results.values())
    if trained:
        losses(results)
    count, with_experts = 0, 0
    for ranks in RANKS:
        for sequence, experts in WAYS:
            made = plan(graph, ranks, hooks, sequence=sequence, expert_parallel=experts)
            if experts and all(one.reason is not None for one in made.experts):
                continue
            if not any(made.is_split(node) for node in made.nodes) or (sequence and not cuts(made, sizes)):
                continue
            count, with_experts = count + 1, with_experts + experts
            run = Ranks(made, hooks, dict(sizes), parameters)
            found = run.run(graph, tensors)
            for rank in range(ranks):
                equal({key: each[rank].detach().numpy() for key, each in found.items()}, wanted)
            if trained:
                losses(found)
                for path, each in run.leaves.items():
                    check_gradient(path, each, whole.leaves[path][0], run)
            if not sequence:
                for one in of_programs(graph, made, hooks, inputs, weights, sizes):
                    equal(one, wanted)
    assert with_experts or not whole_experts
    return count


def cuts(made: Plan, sizes: Mapping[str, int]) -> bool:
    """Whether a plan cuts lengths, and the ranks divide each."""
    return bool(made.lengths) and not any(length.value(sizes) % made.ranks for length in made.lengths)


def of_programs(
    graph: Graph, made: Plan, hooks: Boundaries, inputs: Arrays, weights: Arrays, sizes: Mapping[str, int]
) -> Sequence[Arrays]:
    """What the programs of all ranks give."""
    placed = {one.parameter: one.placement for one in made.parameters}
    owners = expand(graph)
    parts = [
        {key: part_of_parameter(one, placed[owners[key]], rank, made.ranks) for key, one in weights.items()}
        for rank in range(made.ranks)
    ]
    graphs = [shard(graph, made, hooks, rank) for rank in range(made.ranks)]
    return interpret_ranks(graphs, inputs, parts, sizes)


def equal(found: Arrays, wanted: Arrays) -> None:
    for key, one in wanted.items():
        largest = max(1.0, np.max(np.abs(one), initial=0.0)) if one.dtype.kind == "f" else 1.0
        assert np.max(np.abs(1.0 * found[key] - 1.0 * one), initial=0.0) <= BOUND * largest, key
