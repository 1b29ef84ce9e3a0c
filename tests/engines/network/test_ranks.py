"""The networks of tensor ranks, computed together on the CPU, give what the whole model gives; mutants do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from archspec.analyses.sharding.collectives import collectives
from archspec.diagnostics import SpecError
from archspec.engines.network.execution import EXCHANGE, Execution
from archspec.engines.network.plan import NetworkLayer, NetworkPlan
from archspec.engines.network.ranks import run_ranks
from archspec.engines.rtx.building import compiled
from archspec.engines.rtx.parsing import parse_program
from tests.engines.network.building import Made, normal, trt
from tests.engines.network.ranks import LoweredRanks

SUM = trt.ReduceOperation.SUM
NONE = trt.ReduceOperation.NONE
CASES = [
    ("gpt2", 2, ()),
    ("transformer-base", 2, ("layers=1",)),
    *(
        pytest.param(name, ranks, (), marks=pytest.mark.slow)
        for name, ranks in (
            ("llama-3.2-1b", 2),
            ("bert-base", 2),
            ("vit-b16", 2),
        )
    ),
    *(pytest.param(name, 4, ("layers=1",), marks=pytest.mark.slow) for name in ("llama-3.2-1b", "transformer-base")),
    # What four ranks change, the two cases above tell.
    pytest.param("gpt2", 4, (), marks=[pytest.mark.slow, pytest.mark.long]),
]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> LoweredRanks:
    return LoweredRanks("gpt2", 2, tmp_path_factory.mktemp("gpt2"))


@pytest.mark.parametrize(("name", "ranks", "more"), CASES)
def test_the_networks_of_ranks_give_what_the_whole_gives(
    name: str, ranks: int, more: tuple[str, ...], gpt2: LoweredRanks, tmp_path: Path
) -> None:
    made = gpt2 if (name, ranks) == ("gpt2", 2) else LoweredRanks(name, ranks, tmp_path, more=more)
    assert made.differs(made.plans) < 1e-5
    forward = [one for one in collectives(made.split.plan) if one.phase == "forward"]
    planned = Counter(one.kind.replace("-", "_") for one in forward for _ in range(one.times))
    for plan in made.plans:
        assert Counter(step.attributes["collective_operation"] for step in exchanges(plan)) == planned
        assert {step.attributes["num_ranks"] for step in exchanges(plan)} == {ranks}


@pytest.mark.slow
def test_networks_in_half_precision_are_near_to_the_whole(tmp_path: Path) -> None:
    made = LoweredRanks("llama-3.2-1b", 2, tmp_path, dtype="float16")
    assert made.differs(made.plans) < 2e-2


def exchanges(plan: NetworkPlan) -> list[NetworkLayer]:
    """The layers at which ranks exchange values."""
    return [step for step in plan.steps if step.kind == EXCHANGE]


def without(plan: NetworkPlan, number: int) -> NetworkPlan:
    """A network in which one exchange gives what it is given."""
    left = exchanges(plan)[number]
    steps = (replace(step, kind="IDENTITY", attributes={}) if step is left else step for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def test_an_exchange_that_all_ranks_leave_out_is_caught(gpt2: LoweredRanks) -> None:
    sums = [n for n, step in enumerate(exchanges(gpt2.plans[0])) if step.attributes["reduce_op"] == "sum"]
    assert len(sums) == 5
    for number in sums:
        assert gpt2.differs([without(plan, number) for plan in gpt2.plans]) > 1e-3, number


def test_an_exchange_that_one_rank_leaves_out_is_caught(gpt2: LoweredRanks) -> None:
    first, second = gpt2.plans
    for number in range(len(exchanges(second))):
        with pytest.raises(SpecError) as raised:
            gpt2.differs([first, without(second, number)])
        assert [one.code for one in raised.value.diagnostics] == ["E621"]


def test_the_network_of_another_rank_is_caught(gpt2: LoweredRanks) -> None:
    first, second = gpt2.plans
    assert gpt2.differs([first, first]) > 1e-3
    assert gpt2.differs([second, first]) > 1e-3


def test_the_weights_of_another_rank_are_caught(gpt2: LoweredRanks) -> None:
    first, second = gpt2.plans
    pairs = list(zip(held(first), held(second), strict=True))
    apart = [(a, b) for a, b in pairs if not np.array_equal(weights(a), weights(b))]
    assert len(apart) >= 14
    for other, own in apart:
        changed = replace(own, attributes={**own.attributes, "weights": weights(other)})
        steps = tuple(changed if step is own else step for step in second.steps)
        assert gpt2.differs([first, replace(second, steps=steps)]) > 1e-4, own.name


def held(plan: NetworkPlan) -> list[NetworkLayer]:
    """The layers with weights that are matrices, or vectors of many features."""
    return [step for step in plan.steps if step.kind == "CONSTANT" and weights(step).size > 32]


def weights(step: NetworkLayer) -> np.ndarray:
    found: np.ndarray = step.attributes["weights"]
    return found


def test_one_rank_alone_is_refused(gpt2: LoweredRanks) -> None:
    with pytest.raises(SpecError) as raised:
        Execution(gpt2.plans[0]).run({"ids": torch.zeros(1, 3, dtype=torch.int64)})
    (found,) = raised.value.diagnostics
    assert found.code == "E620"
    assert "needs the networks of the other ranks" in found.message


def test_engines_of_ranks_are_built_without_a_gpu(gpt2: LoweredRanks) -> None:
    for rank, program in enumerate(gpt2.programs):
        parsed = parse_program(program, gpt2.exported(rank))
        built = compiled(parsed, program.ranges(), ["sm89"])
        assert len(built.engine) > 100_000


# -- what TensorRT makes of the nodes: of its layers only the number of ranks can be read


def engine_of(network: Any, builder: Any) -> bytes:
    network.name = "exchange"
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    return bytes(builder.build_serialized_network(network, config))


def by_node(**attributes: Any) -> bytes:
    """The engine of a network that is parsed from one node."""
    made = Made()
    numbers = {"root": -1, "group_size": 0, "nb_rank": 2}
    node = helper.make_node("DistCollective", ["x"], ["y"], name="node", domain="trt", **numbers, **attributes)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [2, 4]), ("y", None))
    ]
    graph = helper.make_graph([node], "exchange", ends[:1], ends[1:])
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("trt", 1)]
    parser = trt.OnnxParser(made.network, made.logger)
    assert parser.parse(onnx.helper.make_model(graph, opset_imports=versions).SerializeToString())
    return engine_of(made.network, made.builder)


def by_layer(operation: Any, reduce: Any) -> bytes:
    """The engine of a network with one layer of `add_dist_collective`."""
    made = Made()
    x = made.network.add_input("x", trt.float32, (2, 4))
    layer = made.network.add_dist_collective(x, operation, reduce, -1, None)
    layer.num_ranks, layer.name, layer.metadata = 2, "node", "[ONNX Layer: node]"
    layer.get_output(0).name = "y"
    made.network.mark_output(layer.get_output(0))
    return engine_of(made.network, made.builder)


def test_nodes_become_the_layers_that_they_name() -> None:
    operations = trt.CollectiveOperation
    summed = by_node(collective_operation="all_reduce", reduce_op="sum")
    others = (trt.ReduceOperation.PROD, trt.ReduceOperation.MAX, trt.ReduceOperation.AVG)
    assert summed == by_layer(operations.ALL_REDUCE, SUM)
    assert all(summed != by_layer(operations.ALL_REDUCE, one) for one in others)
    gathered = by_node(collective_operation="all_gather", reduce_op="none")
    assert gathered == by_layer(operations.ALL_GATHER, NONE) != summed


# -- the functions of the layers


def ranks_of(operation: Any, reduce: Any, attributes: dict[str, Any], *values: np.ndarray) -> list[torch.Tensor]:
    """What each rank is given by one exchange of its value."""
    plans = []
    for value in values:
        made = Made()
        layer = made.network.add_dist_collective(made.input(value), operation, reduce, -1, None)
        layer.num_ranks = len(values)
        plan = made.plan(layer.get_output(0))
        known = {"nb_rank": len(values), "group_size": 0, **attributes}
        steps = (replace(step, attributes={**step.attributes, **known}) for step in plan.steps)
        plans.append((replace(plan, steps=tuple(steps)), made.given))
    runs = [Execution(plan) for plan, _ in plans]
    # Each rank has an input of its own here.
    for execution, (_, given) in zip(runs, plans, strict=True):
        exchanging: Callable[..., Any] = execution.exchanging
        execution.exchanging = lambda inputs, run=exchanging, own=given: run(own)  # type: ignore[method-assign]
    return [found["y0"] for found in run_ranks(runs, {})]


def test_exchanges_are_those_of_their_names() -> None:
    operations, values = trt.CollectiveOperation, [normal(2, 3), normal(2, 3), normal(2, 3)]
    told = {"collective_operation": "all_reduce", "reduce_op": "sum"}
    for found in ranks_of(operations.ALL_REDUCE, SUM, told, *values):
        np.testing.assert_allclose(found, sum(values), rtol=1e-6)
    told = {"collective_operation": "all_gather", "reduce_op": "none"}
    for found in ranks_of(operations.ALL_GATHER, NONE, told, *values):
        np.testing.assert_array_equal(found, np.concatenate(values))


def test_ranks_that_give_different_sizes_are_refused() -> None:
    told = {"collective_operation": "all_reduce", "reduce_op": "sum"}
    with pytest.raises(SpecError) as raised:
        ranks_of(trt.CollectiveOperation.ALL_REDUCE, SUM, told, normal(2, 3), normal(2, 4))
    assert raised.value.diagnostics[0].message == "the networks of the ranks do not exchange alike"


@pytest.mark.parametrize("told", [{"reduce_op": "max"}, {"group_size": 2}, {"nb_rank": 3}], ids=str)
def test_what_an_exchange_does_besides_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        known = {"collective_operation": "all_reduce", "reduce_op": "sum", **told}
        ranks_of(trt.CollectiveOperation.ALL_REDUCE, SUM, known, normal(2, 3), normal(2, 3))
    assert raised.value.diagnostics[0].code == "E620"
