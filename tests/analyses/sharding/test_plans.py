"""Plans of all shipped specs: made and sound, or refused with a line; known plans; wrong plans are caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.check import check_plan
from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.fully_sharded import data_elements
from archspec.analyses.sharding.held import kept_elements, rank_share
from archspec.analyses.sharding.plan import WHOLE, Plan
from archspec.analyses.sharding.planner import plan
from archspec.analyses.sharding.stages import parts_that_compute, stages, units
from archspec.ir.graph import Graph
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.spec import load
from tests.mutation.shipped import alone_in_kind


def emitted(name: str, *, reduced: bool = False, **constants: object) -> tuple[Graph, Boundaries]:
    graph = with_masks(load(name, reduced=reduced, set={key: str(one) for key, one in constants.items()}))
    return graph, boundaries(graph)


def placements(made: Plan) -> Mapping[str, Placement]:
    return {one.parameter.path: one.placement for one in made.parameters}


@pytest.mark.parametrize("name", alone_in_kind())
def test_every_shipped_spec_has_sound_plans(name: str) -> None:
    graph, hooks = emitted(name)
    for ranks in (2, 4, 8, 64):
        made = plan(graph, ranks, hooks)
        assert check_plan(graph, made, hooks) == []
        # Whatever computes is split, or listed with a reason.
        listed = {one.path for one in made.unsplit}
        for node in graph.walk():
            if node in made.nodes and made.nodes[node] is WHOLE and node.owned:
                tables = [node.parameters[one] for one in node.owned if node.parameters[one].type.rank > 1]
                assert not tables or (node.path or node.op.name) in listed
        assert all(one.reason for one in made.unsplit)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "gpt-oss-20b"])
def test_plans_with_whole_experts(name: str) -> None:
    graph, hooks = emitted(name)
    for ranks in (2, 4, 8, 64):
        by_hidden, whole = (plan(graph, ranks, hooks, expert_parallel=one) for one in (False, True))
        assert check_plan(graph, whole, hooks) == []
        (module,) = whole.experts
        axes = {one.axis for path, one in placements(whole).items() if ".experts." in path and isinstance(one, Shard)}
        assert (module.reason is None) == (module.count % ranks == 0) == (axes == {0})
        # A shared expert and all else are split as before, and as many values are joined forward.
        others = {path for path in placements(whole) if ".experts." not in path and ".router." not in path}
        assert {path: placements(whole)[path] for path in others} == {
            path: placements(by_hidden)[path] for path in others
        }
        own, before = (Counter(exchanges(one)) for one in (whole, by_hidden))
        assert own["all-reduce", "forward"] == before["all-reduce", "forward"]
        assert own.total() <= before.total()
        assert whole.conversions == by_hidden.conversions or module.reason is None
        share, former = (rank_share(graph, one) for one in (whole, by_hidden))
        assert share.parameters <= former.parameters
        assert share.flops.typical() == former.flops.typical()


def exchanges(made: Plan) -> Mapping[tuple[str, str], int]:
    """How often a step exchanges in each way, and in each pass."""
    found: Counter[tuple[str, str]] = Counter()
    for one in collectives(made):
        found[one.kind, one.phase] += one.times
    return found


def test_llama_is_split_as_by_megatron() -> None:
    made = plan(*emitted_for("llama-3-8b", 8))
    layer = "states.layers.*"
    assert {path: one for path, one in placements(made).items() if one != Replicate()} == {
        "source.table": Shard(0),
        f"{layer}.attention.q.weight": Shard(0),
        f"{layer}.attention.k.weight": Shard(0),
        f"{layer}.attention.v.weight": Shard(0),
        f"{layer}.attention.out.weight": Shard(1),
        f"{layer}.feed_forward.gate.weight": Shard(0),
        f"{layer}.feed_forward.up.weight": Shard(0),
        f"{layer}.feed_forward.down.weight": Shard(1),
        "logits.weight": Shard(0),
    }
    # Two all-reduces a layer and pass (arXiv 1909.08053, section 3), one for the table, one for the head.
    found: Counter[tuple[str, str]] = Counter()
    for one in collectives(made):
        found[one.kind, one.phase] += one.times
    assert found == {
        ("all-reduce", "forward"): 2 * 32 + 1,
        ("all-reduce", "backward"): 2 * 32 + 1,
        ("all-gather", "forward"): 1,
    }
    assert made.unsplit == ()


def test_norms_and_residuals_are_on_parts_of_the_length() -> None:
    graph, hooks = emitted("llama-3-8b")
    made = plan(graph, 8, hooks, sequence=True)
    assert check_plan(graph, made, hooks) == []
    assert [(one.path, str(one.length), one.reason) for one in made.stacks] == [("states.layers", "length", None)]
    norms = {path: one for path, one in placements(made).items() if "norm" in path}
    assert set(norms.values()) == {Copied()}
    assert all(one == placements(plan(graph, 8, hooks))[path] for path, one in placements(made).items() - norms.items())
    # Each all-reduce of a layer is a reduce-scatter and an all-gather (arXiv 2205.05198, section 4.2.2), and so is that
    # before the head; the table is looked up whole, since the table of angles reads the length there.
    found: Counter[tuple[str, str]] = Counter()
    for one in collectives(made):
        found[one.kind, one.phase] += one.times if "norm" not in one.where or one.kind != "all-reduce" else 0
    assert {key: count for key, count in found.items() if count} == {
        ("reduce-scatter", "forward"): 2 * 32,
        ("all-gather", "forward"): 2 * 32 + 1 + 1,
        ("reduce-scatter", "backward"): 2 * 32 + 1,
        ("all-gather", "backward"): 2 * 32 + 1,
        ("all-reduce", "forward"): 1,
    }
    places = [(one.at.module, one.at.layers) for one in made.conversions if one.source == Replicate()]
    assert places == [("states.layers.*", ((0,),))]


def test_parts_of_the_length_take_an_eighth() -> None:
    graph, hooks = emitted("llama-3-8b")
    whole, cut = (kept_elements(graph, plan(graph, 8, hooks, sequence=one)) for one in (False, True))
    # A layer keeps the operands of its two norms and sums, and what is carried when it is computed again.
    stream = graph.nodes[0].outputs[0].type.elements().typical()
    assert (whole.between - cut.between).typical() >= 32 * stream * 7 // 8
    assert (whole.everything - cut.everything).typical() >= 2 * 32 * stream * 7 // 8


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vit-b16", "197 is not divisible by 4"),
        ("dinov2-small", "`learned` needs all of it"),
        ("gated-attention", "`unnormalised_attention` needs all of it"),
    ],
)
def test_stacks_that_keep_the_length_whole(name: str, reason: str) -> None:
    graph, hooks = emitted(name)
    made = plan(graph, 4, hooks, sequence=True)
    assert [one.reason for one in made.stacks] == [reason]
    assert made.conversions == plan(graph, 4, hooks).conversions


def test_every_stack_of_a_shipped_decoder_or_encoder_is_cut() -> None:
    for name in ("gpt2", "bert-base", "t5-base", "deepseek-v3", "mixtral-8x7b", "gemma-2-2b", "bart-base"):
        graph, hooks = emitted(name)
        made = plan(graph, 2, hooks, sequence=True)
        assert made.stacks
        assert all(one.reason is None for one in made.stacks)


def emitted_for(name: str, ranks: int, *, reduced: bool = False, **constants: object) -> tuple[Graph, int, Boundaries]:
    graph, hooks = emitted(name, reduced=reduced, **constants)
    return graph, ranks, hooks


def test_the_share_of_a_rank() -> None:
    graph, hooks = emitted("llama-3-8b")
    share = rank_share(graph, plan(graph, 8, hooks))
    norms = (2 * 32 + 1) * 4096
    assert share.parameters == (8_030_261_248 - norms) // 8 + norms
    assert share.flops.typical() * 8 == share.all_flops.typical()


def test_ranks_share_heads_of_keys() -> None:
    made = placements(plan(*emitted_for("llama-3-8b", 32)))
    assert made["states.layers.*.attention.k.weight"] == Shard(0, 4)
    assert made["states.layers.*.attention.q.weight"] == Shard(0)
    # 64 ranks do not divide 32 heads of queries: attention is whole, the rest is not.
    many = plan(*emitted_for("llama-3-8b", 64))
    assert placements(many)["states.layers.*.attention.q.weight"] == Replicate()
    assert placements(many)["states.layers.*.feed_forward.up.weight"] == Shard(0)
    assert {one.reason.partition(" (")[0] for one in many.unsplit} == {
        "32 is not divisible by 64",
        "8 is not divisible by 64",
    }


def test_special_parts() -> None:
    t5 = placements(plan(*emitted_for("t5-base", 4)))
    assert t5["memory.attention.positions"] == t5["states.attention.positions"] == Shard(1)
    assert t5["source.table"] == Shard(0)
    latent = placements(plan(*emitted_for("deepseek-v3", 8)))
    assert latent["states.layers.*.attention.kv_down.weight"] == Replicate()
    assert latent["states.layers.*.attention.kv_up.weight"] == Shard(0)
    assert latent["states.layers.*.feed_forward.experts.gate"] == Shard(1)
    assert latent["states.layers.*.feed_forward.experts.down"] == Shard(2)
    assert latent["states.layers.*.feed_forward.router.weight"] == Copied()
    # A norm over all heads: maps give parts, which are gathered for it, and each rank takes its heads again.
    gathered = placements(plan(*emitted_for("olmo2-1b", 2)))
    assert gathered["states.layers.*.attention.q.weight"] == Shard(0)
    assert gathered["states.layers.*.attention.q_norm.weight"] == Replicate()
    alibi = plan(*emitted_for("bloom-560m", 2))
    cuts = [one for one in alibi.conversions if isinstance(one.target, Shard)]
    assert [(one.at.module, one.has_gradient) for one in cuts] == [("states.layers.*", False)]


@pytest.mark.parametrize("name", ["gpt2", "mixtral-8x7b", "minilm-l6", "t5-base"])
def test_reduced_specs_are_split_as_full_ones(name: str) -> None:
    full = placements(plan(*emitted_for(name, 2)))
    small = placements(plan(*emitted_for(name, 2, reduced=True, vocab=96)))
    # The vocabulary of GPT-2 is odd.
    assert {path for path in full if small[path] != full[path]} == ({"source.table"} if name == "gpt2" else set())


def test_data_ranks_cut_what_tensor_ranks_store() -> None:
    graph, hooks = emitted("llama-3-8b")
    stored = {one.parameter.path: one for one in plan(graph, 8, hooks).parameters}
    assert data_elements(stored["logits.weight"], 8, 3) == -(-(128_256 // 8) // 3) * 4096
    assert data_elements(stored["states.layers.*.attention.out.weight"], 8, 4) == 4096 // 4 * 4096 // 8
    assert data_elements(stored["states.final_norm.weight"], 8, 3) == 1366


def test_stages_are_balanced() -> None:
    graph, _ = emitted("gpt2")
    made = stages(graph, 4)
    assert made is not None
    assert [unit.path for stage in made for unit in stage.units] == [
        *("source", *(f"states.layers.{n}" for n in range(12)), "states.final_norm", "logits")
    ]
    # The head costs more than 5 layers, so the layers are in three equal stages.
    assert [sum(unit.is_layer for unit in stage.units) for stage in made] == [4, 4, 4, 0]
    assert made[0].flops == made[1].flops == made[2].flops < made[3].flops
    assert stages(graph, 13) is not None
    assert stages(graph, 14) is None
    assert parts_that_compute(graph) == "12 layers and 1 part beside them"


@pytest.mark.parametrize("name", ["t5-base", "gpt2", "deepseek-v3", "swin-t", "segformer-b0", "resnet-50"])
def test_every_stage_computes_and_none_could_be_smaller(name: str) -> None:
    graph, _ = emitted(name, reduced=True)
    costs = [unit.flops.typical() for unit in units(graph)]
    heavy = [cost for cost in costs if cost]
    for count in range(1, len(heavy) + 1):
        made = stages(graph, count)
        assert made is not None
        assert [unit.flops.typical() for stage in made for unit in stage.units] == costs
        assert all(stage.flops > 0 for stage in made)
        ends = combinations(range(1, len(heavy)), count - 1) if len(heavy) < 12 else ()
        every = (max(sum(heavy[a:b]) for a, b in pairwise((0, *end, len(heavy)))) for end in ends)
        assert max(stage.flops for stage in made) == min(every, default=max(stage.flops for stage in made))


def wrong(made: Plan) -> Iterator[Plan]:
    """Plans with one fault each."""
    for number, one in enumerate(made.conversions):
        rest = (*made.conversions[:number], *made.conversions[number + 1 :])
        yield replace(made, conversions=rest)
        yield replace(made, conversions=(*rest, replace(one, target=Partial())))
    for number, stored in enumerate(made.parameters):
        for other in (Replicate(), Copied(), Shard(0), Shard(1), Partial()):
            if other != stored.placement and not stored.parameter.buffer:
                changed = replace(stored, placement=other)
                parameters = (*made.parameters[:number], changed, *made.parameters[number + 1 :])
                yield replace(made, parameters=parameters)
    for node, sharding in made.nodes.items():
        if sharding is not WHOLE:
            yield replace(made, nodes={**made.nodes, node: WHOLE})
    for value in made.values:
        if isinstance(made.values[value], Shard | Partial):
            yield replace(made, values={**made.values, value: Replicate()})


@pytest.mark.parametrize("sequence", [False, True])
def test_wrong_plans_are_caught(sequence: bool) -> None:
    graph, hooks = emitted("llama-3-8b", reduced=True, vocab=96)
    made = plan(graph, 4, hooks, sequence=sequence)
    faulty = list(wrong(made))
    assert len(faulty) > 80
    assert [one for one in faulty if not check_plan(graph, one, hooks)] == []
