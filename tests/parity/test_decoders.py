"""Decoders of transformers, whose options they brought, as specs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.editing import edited
from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, decoder, differ, module_of, tokens
from tests.parity.test_rotary import LLAMA

transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 60,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
HALF = "positions: {kind: rotary, layout: half}"


def eager(kind: str, **options: Any) -> nn.Module:
    """A small model, its attention written out, every parameter at random."""
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **options})
    made = {"attn_implementation": "eager"}
    model = getattr(
        transformers, kind if hasattr(transformers, kind) else f"{kind.removesuffix('Text')}TextModel", None
    )
    model = model or getattr(transformers, f"{kind}Model")
    return fill(model._from_config(config, **made), 11)


class Nothing(nn.Module):
    """Stands where a sublayer is left out."""

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return torch.zeros_like(x), None


@option("attention.sink=learned", "attention.sink=none", "stack.feed_forward=none", "sublayers.feed_forward=none")
@option("decoder.kinds", "stack.pattern", "pattern.repeat", "attention.kv_heads", "scaling.kind=yarn")
def test_sinks_of_gpt_oss() -> None:
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16}
    reference = eager(
        "GptOss",
        head_dim=16,
        num_local_experts=2,
        num_experts_per_tok=1,
        sliding_window=5,
        rope_parameters={**yarn, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": True},
        layer_types=["sliding_attention", "full_attention"],
    )
    for layer in reference.layers:
        # What is told apart is its attention.
        layer.mlp = Nothing()
        nn.init.normal_(layer.self_attn.sinks)
    layout = edited(
        LLAMA,
        ("    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)\n", ""),
        ("    feed_forward_norm: post_attention_layernorm\n", ""),
    )
    layout = edited(layout, ("states.final_norm", "    attention.sink: self_attn.sinks\nstates.final_norm"))
    for sink in ("learned", "none"):
        spec = decoder(
            norm="{kind: rms_norm, eps: 1e-5}",
            bias="true",
            attention=f"kv_heads: 2\nsink: {sink}\n"
            "positions: {kind: rotary, layout: half, scaling: {kind: yarn, factor: 4, original: 16}}",
            more="kinds:\n  near: {attention: {mask: last(5)}}\n  far: {attention: {mask: causal}}\n"
            "pattern: [near, far]",
            feed_forward="none",
            map=layout if sink == "learned" else edited(layout, ("    attention.sink: self_attn.sinks\n", "")),
            skip="[layers.*.post_attention_layernorm.weight]"
            if sink == "learned"
            else "[layers.*.post_attention_layernorm.weight, layers.*.self_attn.sinks]",
        )
        found, wanted = module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state
        (close if sink == "learned" else differ)(found, wanted)


OSS = edited(
    LLAMA,
    (
        "    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)\n",
        """\
    attention.sink: self_attn.sinks
    feed_forward.router: mlp.router
    feed_forward.experts.(gate up):
      {from: mlp.experts.gate_up_proj, rearrange: "e d (h two) -> e (two h) d", sizes: {two: 2}, split: 1}
    feed_forward.experts.(gate_bias up_bias):
      {from: mlp.experts.gate_up_proj_bias, rearrange: "e (h two) -> e (two h)", sizes: {two: 2}, split: 1}
    feed_forward.experts.down: {from: mlp.experts.down_proj, transpose: true}
    feed_forward.experts.down_bias: mlp.experts.down_proj_bias
""",
    ),
)


@option("feed_forward.clamp", "feed_forward.clamp=none", "clamp.limit", "clamp.offset", "scaling.truncate=false")
@option("feed_forward.activation=quick_gelu", "experts.normalise=true")
def test_gpt_oss() -> None:
    """The limit is small enough to bind, and the ends of YaRN's blend are no whole numbers."""
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
    reference = eager(
        "GptOss",
        head_dim=16,
        num_local_experts=5,
        num_experts_per_tok=2,
        sliding_window=5,
        swiglu_limit=0.5,
        rope_parameters={**yarn, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False},
        layer_types=["sliding_attention", "full_attention"],
        experts_implementation="eager",
    )

    def states(clamp: str, truncate: str = "false") -> Tensor:
        spec = decoder(
            norm="{kind: rms_norm, eps: 1e-5}",
            bias="true",
            attention="kv_heads: 2\nsink: learned\npositions: {kind: rotary, layout: half, "
            f"scaling: {{kind: yarn, factor: 4, original: 64, truncate: {truncate}}}}}",
            more="kinds:\n  near: {attention: {mask: last(5)}}\n  far: {attention: {mask: causal}}\n"
            "pattern: [near, far]",
            feed_forward=f"{{hidden: hidden, activation: quick_gelu, gated: true, clamp: {clamp}, "
            "experts: {count: 5, top_k: 2, scores: softmax, normalise: true}}",
            map=OSS,
        )
        found: Tensor = module_of(spec, reference)(tokens())
        return found

    wanted = reference(tokens()).last_hidden_state
    close(states("{limit: 1/2, offset: 1}"), wanted)
    for clamp in ("none", "{limit: 7, offset: 1}", "{limit: 1/2}"):
        differ(states(clamp), wanted)
    differ(states("{limit: 1/2, offset: 1}", truncate="true"), wanted)


@option("residual.kind=sandwich", "norm.unit_offset=true", "qk_norm.over=head", "attention.qk_norm")
@option("pattern.start", "pattern.end", "attention_positions.base", "token_embedding.scale", "attention.scale")
@option("sublayers.attention", "sublayers.feed_forward", "feed_forward.activation=gelu_tanh", "qk_norm.norm=true")
def test_gemma_3() -> None:
    reference = eager(
        "Gemma3Text",
        num_hidden_layers=4,
        head_dim=12,
        query_pre_attn_scalar=20,
        sliding_window=5,
        layer_types=["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters={
            "sliding_attention": PLAIN,
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
        },
    )
    spec = decoder(
        norm="{kind: rms_norm, unit_offset: true}",
        residual="sandwich",
        embedding=", scale: sqrt(d)",
        layers=4,
        attention="kv_heads: 2\nhead_dim: 12\nscale: 1/sqrt(20)\nqk_norm: {norm: true, over: head}",
        more="""
kinds:
  near: {attention: {mask: last(5), positions: {kind: rotary, layout: half}}}
  far:
    attention:
      mask: causal
      positions: {kind: rotary, layout: half, base: 1000, scaling: {kind: linear, factor: 8}}
pattern: {start: [far], repeat: [near], end: [far]}
""",
        feed_forward="{hidden: hidden, activation: gelu_tanh, gated: true}",
        map="""
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
    attention_post_norm: post_attention_layernorm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj o_proj)
    attention.(q_norm k_norm): self_attn.(q_norm k_norm)
    feed_forward_norm: pre_feedforward_layernorm
    feed_forward_post_norm: post_feedforward_layernorm
    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)
states.final_norm: norm
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


QK_NORMS = "    attention.(q_norm k_norm): self_attn.(q_norm k_norm)\nstates.final_norm"


@option("qk_norm.norm", "qk_norm.over=head", "attention.head_dim", "norm.eps", "norm.kind=rms_norm")
def test_qwen_3() -> None:
    reference = eager("Qwen3", head_dim=10, rms_norm_eps=1e-4, rope_parameters=PLAIN)
    spec = decoder(
        norm="{kind: rms_norm, eps: 1e-4}",
        attention=f"kv_heads: 2\nhead_dim: 10\nmask: causal\n{HALF}\n"
        "qk_norm: {norm: {kind: rms_norm, eps: 1e-4}, over: head}",
        map=edited(LLAMA, ("states.final_norm", QK_NORMS)),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("residual.kind=post_branch", "qk_norm.over=all", "qk_norm.norm")
def test_olmo_2() -> None:
    reference = eager("Olmo2", rope_parameters=PLAIN)
    layout = edited(
        LLAMA, ("feed_forward_norm: post_attention_layernorm", "feed_forward_norm: post_feedforward_layernorm")
    )
    layout = edited(layout, ("attention_norm: input_layernorm", "attention_norm: post_attention_layernorm"))
    spec = decoder(
        norm="{kind: rms_norm, eps: 1e-5}",
        residual="post_branch",
        attention=f"kv_heads: 2\nmask: causal\n{HALF}\nqk_norm: {{norm: {{kind: rms_norm, eps: 1e-5}}, over: all}}",
        map=edited(layout, ("states.final_norm", QK_NORMS)),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("residual.kind=parallel", "attention_positions.size", "attention.bias=true", "feed_forward.gated=false")
def test_phi() -> None:
    reference = eager("Phi", num_key_value_heads=4, rope_parameters={**PLAIN, "partial_rotary_factor": 0.5})
    spec = decoder(
        norm="layer_norm",
        bias="true",
        residual="parallel",
        attention="mask: causal\nbias: true\npositions: {kind: rotary, layout: half, size: 8}",
        feed_forward="{hidden: hidden, activation: gelu_tanh}",
        map="""
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    norm: input_layernorm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj dense)
    feed_forward.(up down): mlp.(fc1 fc2)
states.final_norm: final_layernorm
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("residual.kind=parallel", "attention.kv_heads", "attention.bias=false", "feed_forward.activation=gelu")
def test_falcon() -> None:
    reference = eager("Falcon", num_key_value_heads=None, bias=False, rope_parameters=PLAIN)
    spec = decoder(
        norm="layer_norm",
        residual="parallel",
        attention=f"kv_heads: 1\nmask: causal\nbias: false\n{HALF}",
        feed_forward="{hidden: 4*d, activation: gelu}",
        map="""
source.table: word_embeddings.weight
states.layers.*:
  from: h.*
  map:
    norm: input_layernorm
    attention.(q k v).weight: {from: self_attention.query_key_value.weight, split: 0}
    attention.out: self_attention.dense
    feed_forward.(up down): mlp.(dense_h_to_4h dense_4h_to_h)
states.final_norm: ln_f
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("norm.unit_offset=true", "norm.kind=layer_norm", "feed_forward.activation=relu_squared")
def test_nemotron() -> None:
    reference = eager("Nemotron", rope_parameters={**PLAIN, "partial_rotary_factor": 0.5})
    spec = decoder(
        norm="{kind: layer_norm, unit_offset: true}",
        attention="kv_heads: 2\nmask: causal\npositions: {kind: rotary, layout: half, size: 8}",
        feed_forward="{hidden: hidden, activation: relu_squared}",
        map=edited(LLAMA, ("(gate up down): mlp.(gate_proj up_proj down_proj)", "(up down): mlp.(up_proj down_proj)")),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


def headed(layout: str) -> str:
    """A layout of a model inside one with a head."""
    return edited(
        layout,
        (": embed_tokens", ": model.embed_tokens"),
        ("from: layers", "from: model.layers"),
        (": norm", ": model.norm"),
    )


@option("lm_head.scale", "lm_head.tie", "norm.bias=false", "attention_positions.layout=interleaved")
@option("residual.kind=parallel", "feed_forward.gated=true")
def test_command_r() -> None:
    config = transformers.CohereConfig(**SIZES, logit_scale=0.25, rope_parameters=PLAIN)
    reference = fill(transformers.CohereForCausalLM(config), 12)
    layout = edited(LLAMA, ("attention_norm:", "norm:"), ("    feed_forward_norm: post_attention_layernorm\n", ""))
    spec = decoder(
        norm="{kind: layer_norm, bias: false}",
        residual="parallel",
        attention="kv_heads: 2\nmask: causal\npositions: {kind: rotary, layout: interleaved}",
        head="tie: source.table, scale: 1/4",
        map=headed(layout),
        skip="[lm_head.weight]",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).logits)


@option("residual.branch_scale", "attention.scale", "token_embedding.scale", "lm_head.scale", "lm_head.vocab")
@option("lm_head.tie=none", "lm_head.bias=false", "lm_head.input")
def test_granite() -> None:
    config = transformers.GraniteConfig(
        **SIZES,
        rope_parameters=PLAIN,
        embedding_multiplier=3.0,
        residual_multiplier=0.4,
        attention_multiplier=0.3,
        logits_scaling=5.0,
        tie_word_embeddings=False,
    )
    reference = fill(transformers.GraniteForCausalLM(config), 13)
    spec = decoder(
        residual="{kind: pre, branch_scale: 2/5}",
        embedding=", scale: 3",
        attention=f"kv_heads: 2\nmask: causal\nscale: 0.3\n{HALF}",
        head="vocab: vocab, scale: 1/5",
        map=headed(LLAMA) + "logits.weight: lm_head.weight\n",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).logits)


@option("attention.kv_heads", "positions.kind=learned", "positions.length", "token_embedding.positions")
def test_one_head_of_keys_and_values_in_starcoder() -> None:
    config = transformers.GPTBigCodeConfig(
        vocab_size=60, n_positions=32, n_embd=64, n_layer=2, n_head=4, n_inner=96, bos_token_id=0, eos_token_id=0
    )
    reference = fill(transformers.GPTBigCodeModel(config), 14)
    spec = decoder(
        norm="layer_norm",
        bias="true",
        embedding=", positions: {kind: learned, length: 32}",
        attention="kv_heads: 1\nmask: causal",
        feed_forward="{hidden: hidden, activation: gelu_tanh}",
        map="""
source.(table positions): (wte wpe).weight
states.layers.*:
  from: h.*
  map:
    attention_norm: ln_1
    attention.(q k v).weight: {from: attn.c_attn.weight, split: 0}
    attention.(q k v).bias: {from: attn.c_attn.bias, split: 0}
    attention.out: attn.c_proj
    feed_forward_norm: ln_2
    feed_forward.(up down): mlp.(c_fc c_proj)
states.final_norm: ln_f
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("norm.bias=false", "attention_positions.kind=alibi", "attention_positions.slopes=powers")
def test_mpt() -> None:
    config = transformers.MptConfig(d_model=64, n_heads=4, n_layers=2, vocab_size=60, max_seq_len=32)
    reference = fill(transformers.MptModel(config), 15)
    spec = decoder(
        norm="{kind: layer_norm, bias: false}",
        attention="mask: causal\npositions: {kind: alibi, slopes: powers}",
        feed_forward="{hidden: 4*d, activation: gelu}",
        map="""
source.table: wte.weight
states.layers.*:
  from: blocks.*
  map:
    attention_norm: norm_1
    attention.(q k v).weight: {from: attn.Wqkv.weight, split: 0}
    attention.out: attn.out_proj
    feed_forward_norm: norm_2
    feed_forward.(up down): ffn.(up_proj down_proj)
states.final_norm: norm_f
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("residual.kind=sandwich", "attention_positions.layout=interleaved", "attention_positions.size")
def test_glm_4() -> None:
    reference = eager("Glm4", head_dim=12, rope_parameters={**PLAIN, "partial_rotary_factor": 0.5}, attention_bias=True)
    spec = decoder(
        norm="{kind: rms_norm, eps: 1.5625e-7}",
        residual="sandwich",
        attention="kv_heads: 2\nhead_dim: 12\nmask: causal\nbias: [q, k, v]\n"
        "positions: {kind: rotary, layout: interleaved, size: 6}",
        map="""
source.table: embed_tokens.weight
states.layers.*:
  from: layers.*
  map:
    attention_norm: input_layernorm
    attention_post_norm: post_self_attn_layernorm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj o_proj)
    feed_forward_norm: post_attention_layernorm
    feed_forward_post_norm: post_mlp_layernorm
    feed_forward.(gate up).weight: {from: mlp.gate_up_proj.weight, split: 0}
    feed_forward.down: mlp.down_proj
states.final_norm: norm
""",
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("attention.positions=none", "attention_positions.kind=rotary", "decoder.kinds", "residual.kind=parallel")
def test_layers_without_positions_in_command_r_7b() -> None:
    reference = eager(
        "Cohere2",
        sliding_window=5,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=PLAIN,
    )
    spec = decoder(
        norm="{kind: layer_norm, bias: false}",
        residual="parallel",
        attention="kv_heads: 2",
        more="""
kinds:
  near: {attention: {mask: last(5), positions: {kind: rotary, layout: interleaved}}}
  far: {attention: {mask: causal, positions: none}}
pattern: [near, far]
""",
        map=edited(LLAMA, ("attention_norm:", "norm:"), ("    feed_forward_norm: post_attention_layernorm\n", "")),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)


@option("residual.kind=post_branch", "qk_norm.over=head", "attention.positions=none", "pattern.start", "pattern.end")
def test_exaone_4() -> None:
    reference = eager(
        "Exaone4",
        num_hidden_layers=3,
        sliding_window=5,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters=PLAIN,
        rms_norm_eps=1e-5,
    )
    layout = edited(
        LLAMA, ("feed_forward_norm: post_attention_layernorm", "feed_forward_norm: post_feedforward_layernorm")
    )
    layout = edited(layout, ("attention_norm: input_layernorm", "attention_norm: post_attention_layernorm"))
    spec = decoder(
        layers=3,
        norm="{kind: rms_norm, eps: 1e-5}",
        residual="post_branch",
        attention="kv_heads: 2\nqk_norm: {norm: true, over: head}",
        more="""
kinds:
  near: {attention: {mask: last(5), positions: {kind: rotary, layout: half}}}
  far: {attention: {mask: causal}}
pattern: {start: [near], repeat: [near], end: [far]}
""",
        map=edited(layout, ("states.final_norm", QK_NORMS)),
    )
    close(module_of(spec, reference)(tokens()), reference(tokens()).last_hidden_state)
