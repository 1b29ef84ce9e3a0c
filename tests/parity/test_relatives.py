"""Architectures that extend others, against the models that they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from archspec.spec import load
from tests.parity.models import fill, ids, right_padded, size
from tests.parity.test_parity import BATCH, SEEDS, close, compiled, llama_sizes, text_sizes

transformers = pytest.importorskip("transformers")

ROTATED = {"rope_type": "default", "rope_theta": 500000.0}
STRETCHED = {
    **ROTATED,
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 150000.0,
    "factor": 4.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 6,
}
OSS = {
    "num_hidden_layers": 2,
    "rms_norm_eps": 1e-5,
    "head_dim": 6,
    "sliding_window": 3,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "swiglu_limit": 0.5,
    "rope_parameters": YARN,
    "experts_implementation": "eager",
    "attn_implementation": "eager",
}
DECODERS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "llama-2-7b": ("Llama", {"rope_parameters": {**ROTATED, "rope_theta": 10000.0}}, {}),
    "llama-3.2-1b": ("Llama", {"rope_parameters": STRETCHED, "tie_word_embeddings": True}, {"kv_heads": "1"}),
    "qwen3-0.6b": (
        "Qwen3",
        {"rms_norm_eps": 1e-6, "head_dim": 6, "tie_word_embeddings": True, "rope_parameters": ROTATED},
        {"head_dim": "6", "kv_heads": "1", "base": "500000"},
    ),
    "gpt-oss-20b": (
        "GptOss",
        OSS,
        {
            "layers": "2",
            "head_dim": "6",
            "kv_heads": "1",
            "window": "3",
            "experts": "4",
            "top_k": "2",
            "trained": "6",
            "graph.states.attention.positions.scaling.factor": "4",
            "graph.states.feed_forward.clamp.limit": "1/2",
        },
    ),
    "olmo2-1b": ("Olmo2", {"rms_norm_eps": 1e-6, "rope_parameters": ROTATED, "pad_token_id": 0}, {}),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DECODERS)
def test_decoders(name: str, seed: int, tmp_path: Path) -> None:
    small, (kind, options, sizes) = size(seed), DECODERS[name]
    heads = {"num_key_value_heads": int(sizes.get("kv_heads", small.heads))}
    config = getattr(transformers, f"{kind}Config")(**{**llama_sizes(small), **heads, **options})
    reference = fill(getattr(transformers, f"{kind}ForCausalLM")(config), seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load(name, set={**text_sizes(small), **sizes, "decode.end": "0"}), tmp_path)
    for length in small.lengths:
        tokens = ids(small, BATCH, length, seed)
        close(module(tokens), reference(tokens).logits)


@pytest.mark.parametrize("seed", SEEDS)
def test_roberta(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.RobertaConfig(
        vocab_size=small.vocab,
        hidden_size=small.width,
        num_hidden_layers=small.layers,
        num_attention_heads=small.heads,
        intermediate_size=small.hidden,
        max_position_embeddings=small.context + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    reference = fill(transformers.RobertaModel(config), seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load("roberta-base", set=text_sizes(small)), tmp_path)
    for length in small.lengths:
        # Positions are counted by what is no padding, whose id is 1 there.
        tokens, valid = ids(small, BATCH, length, seed).clamp(min=2), right_padded(BATCH, length)
        tokens = torch.where(valid, tokens, 1)
        expected = reference(tokens, attention_mask=valid.long())
        close(module(tokens, valid).states, expected.last_hidden_state, valid)
        close(module(tokens, valid).pooled, expected.pooler_output)
