"""Plans beside those that torchtitan publishes, written down from its files, with what each side exchanges.

Source: github.com/pytorch/torchtitan, commit b5bcd76c6: `sharding.py` of `torchtitan/models/llama3` and
`torchtitan/models/deepseek_v3`, `decoder_sharding.py` and `moe_sharding.py` of `torchtitan/models/common`, and
for Mixtral `torchtitan/experiments/transformers_modeling_backend/hf_sharding.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.ir.placement import Shard
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.spec import load

# The axis that tensor ranks cut of each weight there, None for one that is whole, and its name here.
Published = Mapping[str, tuple[int | None, str]]
_LAYER = "states.layers.*"
# `colwise_config`, `rowwise_config`, `norm_config`, `set_decoder_sharding_config`; there `wkv` holds keys and values.
DECODER: Published = {
    "tok_embeddings.weight": (0, "source.table"),
    "attention_norm.weight": (None, f"{_LAYER}.attention_norm.weight"),
    "ffn_norm.weight": (None, f"{_LAYER}.feed_forward_norm.weight"),
    "norm.weight": (None, "states.final_norm.weight"),
    "lm_head.weight": (0, "logits.weight"),
    "attention.wo.weight": (1, f"{_LAYER}.attention.out.weight"),
}
GROUPED_ATTENTION: Published = {
    "attention.wq.weight": (0, f"{_LAYER}.attention.q.weight"),
    "attention.wkv.weight, keys": (0, f"{_LAYER}.attention.k.weight"),
    "attention.wkv.weight, values": (0, f"{_LAYER}.attention.v.weight"),
}
DENSE: Published = {
    "feed_forward.w1.weight": (0, f"{_LAYER}.feed_forward.gate.weight"),
    "feed_forward.w3.weight": (0, f"{_LAYER}.feed_forward.up.weight"),
    "feed_forward.w2.weight": (1, f"{_LAYER}.feed_forward.down.weight"),
}
# Without expert ranks, `expert_param_placement_dense`.
EXPERTS: Published = {
    "moe.router.gate.weight": (None, f"{_LAYER}.feed_forward.router.weight"),
    "moe.routed_experts.inner_experts.w1_EFD": (1, f"{_LAYER}.feed_forward.experts.gate"),
    "moe.routed_experts.inner_experts.w3_EFD": (1, f"{_LAYER}.feed_forward.experts.up"),
    "moe.routed_experts.inner_experts.w2_EDF": (2, f"{_LAYER}.feed_forward.experts.down"),
}
# With expert ranks, `expert_param_placement_sparse`: the experts on axis 0 of each weight. The router is whole, and the
# shared expert on the tensor axis, as without them.
WHOLE_EXPERTS: Published = {
    "moe.router.gate.weight": (None, f"{_LAYER}.feed_forward.router.weight"),
    "moe.routed_experts.inner_experts.w1_EFD": (0, f"{_LAYER}.feed_forward.experts.gate"),
    "moe.routed_experts.inner_experts.w3_EFD": (0, f"{_LAYER}.feed_forward.experts.up"),
    "moe.routed_experts.inner_experts.w2_EDF": (0, f"{_LAYER}.feed_forward.experts.down"),
}
LATENT_ATTENTION: Published = {
    "attention.wq_a.weight": (None, f"{_LAYER}.attention.q_down.weight"),
    "attention.q_norm.weight": (None, f"{_LAYER}.attention.q_norm.weight"),
    "attention.wq_b.weight": (0, f"{_LAYER}.attention.q_up.weight"),
    "attention.wkv_a.weight, latents": (None, f"{_LAYER}.attention.kv_down.weight"),
    "attention.wkv_a.weight, positions": (None, f"{_LAYER}.attention.k_rotary.weight"),
    "attention.kv_norm.weight": (None, f"{_LAYER}.attention.kv_norm.weight"),
    "attention.wkv_b.weight": (0, f"{_LAYER}.attention.kv_up.weight"),
}
SHARED_EXPERT: Published = {
    "moe.expert_bias_E": (None, f"{_LAYER}.feed_forward.router.bias"),
    "moe.shared_experts.w1.weight": (0, f"{_LAYER}.feed_forward.shared.gate.weight"),
    "moe.shared_experts.w3.weight": (0, f"{_LAYER}.feed_forward.shared.up.weight"),
    "moe.shared_experts.w2.weight": (1, f"{_LAYER}.feed_forward.shared.down.weight"),
}
PLANS: Mapping[str, Published] = {
    "llama-3-8b": {**DECODER, **GROUPED_ATTENTION, **DENSE},
    "mixtral-8x7b": {**DECODER, **GROUPED_ATTENTION, **EXPERTS},
    "deepseek-v3": {**DECODER, **LATENT_ATTENTION, **DENSE, **EXPERTS, **SHARED_EXPERT},
}


def planned(name: str, *, sequence: bool = False, expert_parallel: bool = False) -> Plan:
    """The plan of a shipped spec at full size on 8 ranks."""
    graph = with_masks(load(name))
    return plan(graph, 8, boundaries(graph), sequence=sequence, expert_parallel=expert_parallel)


@pytest.mark.parametrize("name", PLANS)
def test_weights_are_cut_along_the_published_axes(name: str) -> None:
    """Every weight of the model stands in the published plan, and is cut there as here."""
    check(PLANS[name], planned(name))


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3"])
def test_whole_experts_are_cut_along_the_published_axis(name: str) -> None:
    check({**PLANS[name], **WHOLE_EXPERTS}, planned(name, expert_parallel=True))


def check(published: Published, made: Plan) -> None:
    """A plan cuts the weights that a published one cuts, along the same axes."""
    wanted = {own: axis for axis, own in published.values()}
    stored = {one.parameter.path: one.placement for one in made.parameters}
    assert {path: one.axis if isinstance(one, Shard) else None for path, one in stored.items()} == wanted
    assert all(one.copies == 1 for one in stored.values() if isinstance(one, Shard))


def exchanged(made: Plan) -> Counter[tuple[str, str]]:
    """Exchanges of values, without those of the gradients of parameters."""
    paths = {one.parameter.path for one in made.parameters}
    found: Counter[tuple[str, str]] = Counter()
    for one in collectives(made):
        found[one.kind, one.phase] += one.times if one.where not in paths or one.where == "source.table" else 0
    return +found


@pytest.mark.parametrize(("name", "layers"), [("llama-3-8b", 32), ("mixtral-8x7b", 32)])
def test_values_are_exchanged_as_published_but_for_the_logits(name: str, layers: int) -> None:
    """Of a layer, inputs of attention and of the feed-forward network (I to R), and what both give (P to I)."""
    published = {
        # What is looked up is joined as well, and so is the gradient of what `lm_head` is given.
        ("all-reduce", "forward"): 2 * layers + 1,
        ("all-reduce", "backward"): 2 * layers + 1,
    }
    # There logits stay in parts; here the output is whole, as the spec says.
    assert exchanged(planned(name)) == {**published, ("all-gather", "forward"): 1}


@pytest.mark.parametrize(("name", "layers"), [("llama-3-8b", 32), ("mixtral-8x7b", 32)])
def test_parts_of_the_length_are_exchanged_as_published_but_for_the_embedding_and_the_logits(
    name: str, layers: int
) -> None:
    published = Counter(
        {
            # Of a layer twice S to R and P to S; once P to S for the embedding, and S to R before `lm_head`.
            ("all-gather", "forward"): 2 * layers + 1,
            ("reduce-scatter", "forward"): 2 * layers + 1,
            ("reduce-scatter", "backward"): 2 * layers + 1,
            ("all-gather", "backward"): 2 * layers + 1,
        }
    )
    # Here what is looked up is summed whole, and the first layer cuts it; the logits are gathered.
    published -= Counter({("reduce-scatter", "forward"): 1})
    published += Counter({("all-reduce", "forward"): 1, ("all-gather", "forward"): 1})
    assert exchanged(planned(name, sequence=True)) == published
