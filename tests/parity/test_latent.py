"""Latent attention, sinks and norms of queries and keys against the models that brought them."""

from __future__ import annotations

import pytest

from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, decoder, module_of, tokens

transformers = pytest.importorskip("transformers")

DEEPSEEK = """
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
{query}
    attention.(kv_down k_rotary).weight:
      {{from: self_attn.kv_a_proj_with_mqa.weight, split: 0}}
    attention.kv_norm: self_attn.kv_a_layernorm
    attention.kv_up: self_attn.kv_b_proj
    attention.out: self_attn.o_proj
    feed_forward_norm: post_attention_layernorm
    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)
states.final_norm: norm
"""
QUERY = {
    None: "    attention.q: self_attn.q_proj",
    24: "    attention.(q_down q_norm q_up): self_attn.(q_a_proj q_a_layernorm q_b_proj)",
}


@option("attention.latent", "latent.key_value", "latent.rotary", "attention.value_dim")
@pytest.mark.parametrize(
    "query",
    [pytest.param(None, marks=option("latent.query=none")), pytest.param(24, marks=option("latent.query"))],
)
def test_latent_attention_of_deepseek_v2(query: int | None) -> None:
    config = transformers.DeepseekV2Config(
        vocab_size=60,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        first_k_dense_replace=2,
        kv_lora_rank=20,
        q_lora_rank=query,
        qk_nope_head_dim=10,
        qk_rope_head_dim=6,
        v_head_dim=14,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    reference = fill(transformers.DeepseekV2Model(config), 5)
    latent = f"{{query: {query or 'none'}, key_value: 20, rotary: 6}}"
    spec = decoder(
        attention="head_dim: 16\nvalue_dim: 14\nmask: causal\n"
        f"positions: {{kind: rotary, layout: interleaved}}\nlatent: {latent}",
        map=DEEPSEEK.format(query=QUERY[query]),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)
