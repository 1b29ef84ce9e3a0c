"""Mixtures of experts with the weights of the models that brought each option."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.editing import edited
from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, decoder, differ, module_of, tokens
from tests.parity.test_latent import DEEPSEEK, QUERY

transformers = pytest.importorskip("transformers")

EXPERTS = """
    feed_forward.router.weight: mlp.gate.weight
    feed_forward.experts.(gate up): {from: mlp.experts.gate_up_proj, split: 1}
    feed_forward.experts.down: mlp.experts.down_proj
"""
SHARED = "    feed_forward.shared.(gate up down): mlp.shared_experts.(gate_proj up_proj down_proj)\n"
QWEN = (
    """
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj o_proj)
    attention.(q_norm k_norm): self_attn.(q_norm k_norm)
    feed_forward_norm: post_attention_layernorm
"""
    + EXPERTS[1:]
    + "states.final_norm: norm\n"
)
LATENT = "latent: {query: none, key_value: 20, rotary: 6}"


def deepseek(version: int, **options: Any) -> Any:
    config = getattr(transformers, f"DeepseekV{version}Config")(
        vocab_size=60,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_routed_experts=6,
        num_experts_per_tok=3,
        n_shared_experts=2,
        moe_intermediate_size=24,
        first_k_dense_replace=0,
        kv_lora_rank=20,
        q_lora_rank=None,
        qk_nope_head_dim=10,
        qk_rope_head_dim=6,
        v_head_dim=14,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        experts_implementation="eager",
        **options,
    )
    return fill(getattr(transformers, f"DeepseekV{version}Model")(config), 31)


def same_gradients(module: torch.nn.Module, reference: Any) -> None:
    """The gradients of the experts, the router and the embedding are those of the reference."""
    module(tokens()).square().sum().backward()
    reference(tokens()).last_hidden_state.square().sum().backward()
    ours, theirs = dict(module.named_parameters()), dict(reference.named_parameters())
    for layer in range(2):
        mine, other = f"states.layers.{layer}.feed_forward", f"layers.{layer}.mlp"
        both = theirs[f"{other}.experts.gate_up_proj"].grad
        found = torch.cat([ours[f"{mine}.experts.{name}"].grad for name in ("gate", "up")], dim=1)
        pairs = {f"{mine}.experts.down": f"{other}.experts.down_proj", f"{mine}.router.weight": f"{other}.gate.weight"}
        pairs["source.table"] = "embed_tokens.weight"
        for one, another in [(found, both), *((ours[a].grad, theirs[b].grad) for a, b in pairs.items())]:
            assert another is not None and another.abs().max() > 0
            assert (one - another).abs().max() <= 1e-5 * another.abs().max()


@option("experts.scores={scores}", "experts.normalise={normalise}", "experts.shared", "shared_expert.hidden")
@option("experts.count", "experts.top_k", "experts.scale", "feed_forward.experts", "feed_forward.hidden")
@option("latent.key_value", "latent.rotary", "latent.query=none", "attention.latent", "attention.value_dim")
@pytest.mark.parametrize(
    ("version", "scores", "normalise"), [(2, "softmax", False), (3, "sigmoid", True), (3, "sigmoid", False)]
)
def test_experts_of_deepseek(version: int, scores: str, normalise: bool) -> None:
    options = {"n_group": 1, "topk_group": 1, "norm_topk_prob": normalise}
    reference = deepseek(version, routed_scaling_factor=1.5, **({} if version == 2 else options))
    layout = DEEPSEEK.format(query=QUERY[None])
    layout = edited(
        layout, ("    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)\n", EXPERTS[1:] + SHARED)
    )
    spec = decoder(
        attention="head_dim: 16\nvalue_dim: 14\nmask: causal\n"
        f"positions: {{kind: rotary, layout: interleaved}}\n{LATENT}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 6, top_k: 3, "
        f"scores: {scores}, normalise: {str(normalise).lower()}, shared: {{hidden: 48}}, scale: 1.5}}}}",
        map=layout,
        skip="none" if version == 2 else "[layers.*.mlp.gate.e_score_correction_bias]",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("experts.selection_bias=true", "experts.selection_bias=false", "experts.groups", "experts.groups=none")
@option("expert_groups.count", "expert_groups.top")
@pytest.mark.parametrize("groups", [(1, 1), (3, 2)])
def test_selection_of_deepseek_v3(groups: tuple[int, int]) -> None:
    count, top = groups
    reference = deepseek(3, routed_scaling_factor=2.5, n_group=count, topk_group=top, norm_topk_prob=True)
    for layer in reference.layers:
        # Large beside the scores, so that it decides.
        torch.nn.init.normal_(layer.mlp.gate.e_score_correction_bias, generator=torch.Generator().manual_seed(5))
    gate = "    feed_forward.router.weight: mlp.gate.weight\n"
    experts = edited(EXPERTS[1:], (gate, f"{gate}    feed_forward.router.bias: mlp.gate.e_score_correction_bias\n"))
    layout = DEEPSEEK.format(query=QUERY[None])
    layout = edited(layout, ("    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)\n", experts + SHARED))
    spec = decoder(
        attention="head_dim: 16\nvalue_dim: 14\nmask: causal\n"
        f"positions: {{kind: rotary, layout: interleaved}}\n{LATENT}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 6, top_k: 3, scores: sigmoid, "
        f"normalise: true, shared: {{hidden: 48}}, scale: 2.5, selection_bias: true, "
        f"groups: {{count: {count}, top: {top}}}}}}}",
        map=layout,
    )
    module = module_of(spec, reference)
    close(module(tokens()), reference(tokens()).last_hidden_state)
    same_gradients(module, reference)
    plain = decoder(
        attention="head_dim: 16\nvalue_dim: 14\nmask: causal\n"
        f"positions: {{kind: rotary, layout: interleaved}}\n{LATENT}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 6, top_k: 3, scores: sigmoid, "
        "normalise: true, shared: {hidden: 48}, scale: 2.5}}",
        map=edited(layout, (experts, EXPERTS[1:])),
        skip="[layers.*.mlp.gate.e_score_correction_bias]",
    )
    differ(module_of(plain, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("experts.scores=softmax", "experts.normalise={normalise}", "experts.shared=none")
@pytest.mark.parametrize("normalise", [True, False])
def test_experts_of_qwen(normalise: bool) -> None:
    config = transformers.Qwen3MoeConfig(
        vocab_size=60,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        num_experts=5,
        num_experts_per_tok=2,
        moe_intermediate_size=24,
        norm_topk_prob=normalise,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        experts_implementation="eager",
    )
    reference = fill(transformers.Qwen3MoeModel(config), 32)
    spec = decoder(
        attention="kv_heads: 2\nmask: causal\nqk_norm: {norm: true, over: head}\n"
        "positions: {kind: rotary, layout: half}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 5, top_k: 2, "
        f"scores: softmax, normalise: {str(normalise).lower()}}}}}",
        map=QWEN,
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("qk_norm.over=all", "experts.normalise=false", "experts.scores=softmax")
def test_olmoe() -> None:
    config = transformers.OlmoeConfig(
        vocab_size=60,
        hidden_size=64,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_experts=4,
        num_experts_per_tok=3,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        experts_implementation="eager",
    )
    reference = fill(transformers.OlmoeModel(config), 33)
    spec = decoder(
        norm="{kind: rms_norm, eps: 1e-5}",
        attention="kv_heads: 2\nmask: causal\nqk_norm: {norm: true, over: all}\n"
        "positions: {kind: rotary, layout: half}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 4, top_k: 3, "
        "scores: softmax, normalise: false}}",
        map=QWEN,
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)
