"""Shipped decoders against the models that they are: logits from the files they save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archspec import weights
from archspec.record import record
from archspec.spec import Spec, load
from tests.parity.models import TOLERANCE, fill
from tests.parity.test_parity import close, compiled

transformers = pytest.importorskip("transformers")

VOCAB, CONTEXT = 60, 24
LENGTHS = (7, CONTEXT)
LLAMA = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
"""Sizes of a small decoder by the names that most models have for them."""
SIZES = {"vocab": str(VOCAB), "context": str(CONTEXT), "d_model": "32", "heads": "4", "d_ff": "40", "layers": "2"}
"""The same sizes by the names of the specs."""
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
EXPERTS = {"experts_implementation": "eager"}


@record
class Small:
    """A small model of transformers, and the constants of the shipped spec that give it."""

    kind: str
    config: dict[str, Any]
    set: dict[str, str]


def llama(kind: str, set: dict[str, str], **config: Any) -> Small:
    return Small(kind=kind, config={**LLAMA, **config}, set=set)


MODELS = {
    "qwen2.5-0.5b": llama("Qwen2", {"kv_heads": "2", "base": "1000"}, rope_parameters={**PLAIN, "rope_theta": 1000.0}),
    "smollm3-3b": llama(
        "SmolLM3",
        {"kv_heads": "2", "base": "1000", "layers": "4"},
        num_hidden_layers=4,
        rope_parameters={**PLAIN, "rope_theta": 1000.0},
    ),
    "phi-3-mini": llama(
        "Phi3",
        {"kv_heads": "2", "window": "3"},
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        sliding_window=3,
        rope_parameters=PLAIN,
    ),
    "gemma-3-270m": llama(
        "Gemma3Text",
        {
            "kv_heads": "2",
            "head_dim": "6",
            "window": "3",
            "layers": "6",
        },
        num_hidden_layers=6,
        head_dim=6,
        query_pre_attn_scalar=6,
        sliding_window=3,
    ),
    "qwen3-30b-a3b": llama(
        "Qwen3Moe",
        {"kv_heads": "2", "head_dim": "6", "experts": "4", "top_k": "2"},
        head_dim=6,
        moe_intermediate_size=40,
        num_experts=4,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        tie_word_embeddings=False,
        rope_parameters={**PLAIN, "rope_theta": 1000000.0},
        **EXPERTS,
    ),
    "deepseek-v3": llama(
        "DeepseekV3",
        {
            "layers": "4",
            "head_dim": "10",
            "value_dim": "6",
            "rotary_dim": "4",
            "kv_rank": "12",
            "q_rank": "14",
            "experts": "6",
            "expert_ff": "12",
            "top_k": "2",
            "groups": "3",
            "top_groups": "2",
            "trained": "6",
            "graph.states.attention.positions.scaling.factor": "40",
        },
        num_hidden_layers=4,
        num_key_value_heads=4,
        q_lora_rank=14,
        kv_lora_rank=12,
        qk_nope_head_dim=6,
        qk_rope_head_dim=4,
        v_head_dim=6,
        n_routed_experts=6,
        moe_intermediate_size=12,
        num_experts_per_tok=2,
        n_group=3,
        topk_group=2,
        tie_word_embeddings=False,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 40.0,
            "original_max_position_embeddings": 6,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
        },
        **EXPERTS,
    ),
    "pythia-70m": llama("GPTNeoX", {"rotary_dim": "2"}, layer_norm_eps=1e-5, tie_word_embeddings=False),
    "opt-125m": llama("OPT", {}, ffn_dim=40),
    "bloom-560m": Small(kind="Bloom", config={**LLAMA, "n_layer": 2, "n_head": 4}, set={"d_ff": "128"}),
    "gpt-neo-125m": llama(
        "GPTNeo", {"window": "3"}, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=3
    ),
}


def made(small: Small) -> nn.Module:
    """The model of transformers, its parameters far from those that would make it linear."""
    config = getattr(transformers, f"{small.kind}Config")(**small.config)
    made = getattr(transformers, f"{small.kind.removesuffix('Text')}ForCausalLM")
    found: nn.Module = fill(made._from_config(config, attn_implementation="eager"), 5, 0.2)
    for name, buffer in found.named_buffers():
        if name.endswith("e_score_correction_bias"):
            nn.init.normal_(buffer, generator=torch.Generator().manual_seed(6))
    return found


def spec_of(name: str, more: dict[str, str] | None = None) -> Spec:
    """The shipped spec at the sizes of its small model, with further changes."""
    sizes = {**SIZES, "dims.length": "[1, 8, context]", "decode.end": "none"}
    return load(name, set={**sizes, **MODELS[name].set, **(more or {})})


@pytest.mark.parametrize("name", MODELS)
def test_logits(name: str, tmp_path: Path) -> None:
    reference, spec = made(MODELS[name]), spec_of(name)
    reference.save_pretrained(tmp_path)
    module = compiled(spec, dict(reference.state_dict()))
    stored = weights.load(spec, tmp_path)
    assert all(torch.equal(tensor, stored[part]) for part, tensor in module.state_dict().items())
    for length in LENGTHS:
        given = torch.randint(VOCAB, (3, length), generator=torch.Generator().manual_seed(length))
        close(module(given), reference(given).logits)


WRONG = {
    "phi-3-mini": {"window": "4"},
    "smollm3-3b": {"graph.states.kinds.nope": "{}"},
    "gemma-3-270m": {"graph.states.kinds.global.attention.positions.base": "10000"},
    "deepseek-v3": {"graph.states.attention.scale": "1/sqrt(head_dim)"},
    "bloom-560m": {"graph.states.feed_forward.activation": "gelu"},
    "gpt-neo-125m": {"graph.states.pattern": "[local, global]"},
    "pythia-70m": {"rotary_dim": "4"},
}
"""What a reader may take each for, though it is another."""


@pytest.mark.parametrize("name", WRONG)
def test_a_slightly_wrong_architecture_is_told(name: str) -> None:
    reference = made(MODELS[name])
    module = compiled(spec_of(name, WRONG[name]), dict(reference.state_dict()))
    given = torch.randint(VOCAB, (3, CONTEXT), generator=torch.Generator().manual_seed(1))
    assert (module(given) - reference(given).logits).abs().max() > 30 * TOLERANCE["atol"]


def test_older_files_of_gpt_neox_hold_masks_and_call_the_head_by_another_name() -> None:
    state = dict(made(MODELS["pythia-70m"]).state_dict())
    older = {name.replace("lm_head", "embed_out"): tensor for name, tensor in state.items()}
    older["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, CONTEXT, CONTEXT).tril()
    older["gpt_neox.layers.1.attention.rotary_emb.inv_freq"] = torch.ones(1)
    spec = spec_of("pythia-70m")
    found, wanted = weights.load(spec, older), weights.load(spec, state)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
