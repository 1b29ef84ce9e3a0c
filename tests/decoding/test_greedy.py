"""Greedy ids with windows, softcaps, latents, experts and memories are those of the `generate` of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import archspec
from tests.decoding.test_peers import PROMPTS, peer_ids, same_ids
from tests.editing import edited
from tests.parity.models import fill
from tests.parity.options import decoder, draft, module_of
from tests.parity.test_latent import DEEPSEEK, QUERY
from tests.parity.test_mixtures import EXPERTS, SHARED
from tests.parity.test_rotary import BY_LENGTH, LLAMA
from tests.parity.test_sequences import SEQ2SEQ, WHISPER

transformers = pytest.importorskip("transformers")

END, NEW = 11, 12
SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


def peer(kind: str, deviation: float = 0.4, **options: Any) -> nn.Module:
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **options})
    made = getattr(transformers, f"{kind}ForCausalLM")._from_config(config, attn_implementation="eager")
    found: nn.Module = fill(made, 3, deviation)
    return found


def test_mistral_beyond_its_window() -> None:
    found = peer("Mistral", rms_norm_eps=1e-5, rope_theta=10000.0, sliding_window=3)
    same_ids("mistral-7b", found, END, new=NEW, kv_heads="2", window="3")


def test_gemma_2() -> None:
    options = {"head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 3, "tie_word_embeddings": True}
    found = peer("Gemma2", **options)
    set = {"kv_heads": "2", "window": "3", "head_dim": "6", "decode.start": "none"}
    same_ids("gemma-2-2b", found, END, new=NEW, **set)


def test_gpt_oss() -> None:
    """Sinks, windows in every other layer, and clamped experts with biases; the limit is small enough to bind."""
    yarn = {"rope_type": "yarn", "rope_theta": 150000.0, "factor": 4.0, "original_max_position_embeddings": 6}
    found = peer(
        "GptOss",
        rms_norm_eps=1e-5,
        head_dim=6,
        sliding_window=3,
        num_local_experts=4,
        num_experts_per_tok=2,
        swiglu_limit=0.75,
        max_position_embeddings=24,
        rope_parameters={**yarn, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False},
        experts_implementation="eager",
    )
    set = {"kv_heads": "2", "window": "3", "head_dim": "6", "experts": "4", "top_k": "2", "context": "24"}
    more = {"graph.states.feed_forward.clamp.limit": "3/4", "dims.length": "[1, 8, context]"}
    same_ids("gpt-oss-20b", found, END, new=NEW, **set, **more, trained="6")


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_scalings_by_the_length_run_in_full(kind: str) -> None:
    """Every step runs the full forward, since each length has frequencies of its own; rows go beyond the original."""
    theirs, ours = BY_LENGTH[kind]
    options = {"vocab_size": 60, "hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 4}
    more = {"max_position_embeddings": 16, "rope_parameters": {"rope_theta": 1000.0, **theirs}}
    found = peer("Llama", **options, **more)
    layout = LLAMA.replace("from: layers.*", "from: model.layers.*").replace(": embed_tokens", ": model.embed_tokens")
    spec = decoder(
        attention=f"mask: causal\npositions: {{kind: rotary, layout: half, base: 1000, scaling: {ours}}}",
        map=layout.replace("final_norm: norm", "final_norm: model.norm") + "logits.weight: lm_head.weight\n",
        head="vocab: vocab",
        end=END,
    )
    module = module_of(spec, found)
    assert not hasattr(type(module), "step")
    prompts = [list(range(12, 25)), [5], list(range(30, 45))]
    rows = archspec.generate(spec, prompts, max_new=6, module=module)
    for row, prompt in zip(rows, prompts, strict=True):
        # A model keeps what it made for the longest sequence so far.
        again = peer("Llama", **options, **more)
        assert list(row.ids) == peer_ids(again, prompt, 6, eos_token_id=END, pad_token_id=0)


def test_deepseek_v3() -> None:
    """Latent attention, a bias that selects experts, and groups of them."""
    found = peer(
        "DeepseekV3",
        0.2,
        vocab_size=60,
        hidden_size=64,
        intermediate_size=96,
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
        n_group=3,
        topk_group=2,
        norm_topk_prob=True,
        routed_scaling_factor=2.5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        experts_implementation="eager",
    )
    for layer in found.model.layers:
        nn.init.normal_(layer.mlp.gate.e_score_correction_bias, generator=torch.Generator().manual_seed(5))
    gate = "    feed_forward.router.weight: mlp.gate.weight\n"
    experts = edited(EXPERTS[1:], (gate, f"{gate}    feed_forward.router.bias: mlp.gate.e_score_correction_bias\n"))
    dense = "    feed_forward.(gate up down): mlp.(gate_proj up_proj down_proj)\n"
    layout = edited(DEEPSEEK.format(query=QUERY[None]), (dense, experts + SHARED))
    layout = layout.replace("from: layers.*", "from: model.layers.*").replace(": embed_tokens", ": model.embed_tokens")
    spec = decoder(
        attention="head_dim: 16\nvalue_dim: 14\nmask: causal\npositions: {kind: rotary, layout: interleaved}\n"
        "latent: {query: none, key_value: 20, rotary: 6}",
        feed_forward="{hidden: 24, activation: silu, gated: true, experts: {count: 6, top_k: 3, scores: sigmoid, "
        "normalise: true, shared: {hidden: 48}, scale: 2.5, selection_bias: true, groups: {count: 3, top: 2}}}",
        map=layout.replace("final_norm: norm", "final_norm: model.norm") + "logits.weight: lm_head.weight\n",
        head="vocab: vocab",
        end=END,
    )
    module = module_of(spec, found)
    assert hasattr(type(module), "step")
    # One latent and one rotated key a position, for all four heads.
    assert module.new_cache(1, 1).latent.shape == (2, 1, 1, 1, 26)
    rows = archspec.generate(spec, PROMPTS, max_new=NEW, module=module)
    for row, prompt in zip(rows, PROMPTS, strict=True):
        assert list(row.ids) == peer_ids(found, prompt, NEW, eos_token_id=END, pad_token_id=0)


def test_whisper() -> None:
    """A memory that is made from sound, once."""
    from transformers.models.whisper.modeling_whisper import sinusoids

    options = {"num_mel_bins": 8, "max_source_positions": 20, "max_target_positions": 24, "activation_function": "gelu"}
    config = transformers.WhisperConfig(**SEQ2SEQ, **options, begin_suppress_tokens=None, suppress_tokens=None)
    found = fill(transformers.WhisperForConditionalGeneration(config), 21, 0.2)
    with torch.no_grad():
        found.model.encoder.embed_positions.weight.copy_(sinusoids(20, 64))
    spec = draft(
        edited(WHISPER, ("weights:\n", f"decode: {{input: ids, output: logits, start: none, end: {END}}}\nweights:\n"))
    )
    sound = torch.randn(len(PROMPTS), 8, 40, generator=torch.Generator().manual_seed(0))
    module = module_of(spec, found)
    assert hasattr(type(module), "step")
    rows = archspec.generate(spec, PROMPTS, max_new=NEW, module=module, inputs={"sound": sound})
    # Whisper's own `generate` adds prompts, so that of all models is called.
    generate = transformers.GenerationMixin.generate
    options = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": END, "pad_token_id": 0, "use_cache": False}
    for number, (row, prompt) in enumerate(zip(rows, PROMPTS, strict=True)):
        own = sound[number : number + 1]
        wanted = generate(found, own, decoder_input_ids=torch.tensor([prompt]), **options)[0].tolist()
        assert list(row.ids) == wanted[len(prompt) :]
