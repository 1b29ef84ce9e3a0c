"""The architectures of llama.cpp that are model types: what each key of their metadata is called in `config.json`.

Sources: llama.cpp, `convert_hf_to_gguf.py` for the keys and `src/llama-model.cpp` for what a file leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from archspec.record import record


@record
class GgufArchitecture:
    """One value of `general.architecture`.

    Attributes:
        model_type: the type that `config.json` names.
        model: the class of transformers with a head.
        keys: by key, without the architecture in front, the key of `config.json`.
        same: by key, another that it has to equal; a file may leave it out.
        absent: what llama.cpp takes for keys that a file leaves out, by the key of `config.json`.
        facts: what this architecture is, by the key of `config.json`; no file says so.
        biases: by key of `config.json`, the tensors whose presence it states.
        wide: the layers of the one size of Gemma whose scores are scaled by features over heads instead of the
            features of a head; None for architectures without a scale of their own.
        period: of so many layers the last looks back without a window; None where all layers are alike.
    """

    model_type: str
    model: str
    keys: Mapping[str, str]
    same: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    biases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wide: int | None = None
    period: int | None = None


_DECODER = {
    "vocab_size": "vocab_size",
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "rope.freq_base": "rope_theta",
}
_SAME = {"attention.value_length": "attention.key_length", "rope.dimension_count": "attention.key_length"}
_BASE = {"rope_theta": 10000.0}
_QKV = tuple(f"blk.0.attn_{name}.bias" for name in ("q", "k", "v"))
_ALL_FOUR = (*_QKV, "blk.0.attn_output.bias")
_MLP = tuple(f"blk.0.ffn_{name}.bias" for name in ("gate", "up", "down"))
_LLAMA = GgufArchitecture(
    model_type="llama",
    model="LlamaForCausalLM",
    keys=_DECODER,
    same=_SAME,
    absent=_BASE,
    facts={"hidden_act": "silu"},
    biases={"attention_bias": _ALL_FOUR, "mlp_bias": _MLP},
)
_GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "attention_bias": False}
_GEMMA_KEYS = {**_DECODER, "attention.sliding_window": "sliding_window"}

ARCHITECTURES: Mapping[str, GgufArchitecture] = {
    "llama": _LLAMA,
    "qwen2": GgufArchitecture(
        model_type="qwen2",
        model="Qwen2ForCausalLM",
        keys={key: name for key, name in _DECODER.items() if key != "attention.key_length"},
        same=_SAME,
        absent=_BASE,
        facts={"hidden_act": "silu", "use_sliding_window": False},
    ),
    "qwen3": GgufArchitecture(
        model_type="qwen3",
        model="Qwen3ForCausalLM",
        keys=_DECODER,
        same=_SAME,
        absent=_BASE,
        facts={"hidden_act": "silu", "use_sliding_window": False, "attention_bias": False},
    ),
    "gemma2": GgufArchitecture(
        model_type="gemma2",
        model="Gemma2ForCausalLM",
        keys={
            **_GEMMA_KEYS,
            "attn_logit_softcapping": "attn_logit_softcapping",
            "final_logit_softcapping": "final_logit_softcapping",
        },
        same=_SAME,
        absent={
            **_BASE,
            "sliding_window": 4096,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        facts=_GEMMA,
        wide=46,
        period=2,
    ),
    # A file names neither which layers are global nor, before 2026, the base of the local ones.
    "gemma3": GgufArchitecture(
        model_type="gemma3_text",
        model="Gemma3ForCausalLM",
        keys={**_GEMMA_KEYS, "rope.freq_base_swa": "rope_local_base_freq"},
        same=_SAME,
        absent={"rope_theta": 1e6, "rope_local_base_freq": 1e4},
        facts={**_GEMMA, "attn_logit_softcapping": None, "final_logit_softcapping": None},
        wide=62,
        period=6,
    ),
    "phi3": GgufArchitecture(
        model_type="phi3",
        model="Phi3ForCausalLM",
        keys={
            **{key: name for key, name in _DECODER.items() if key != "attention.key_length"},
            "attention.sliding_window": "sliding_window",
            "rope.scaling.original_context_length": "original_max_position_embeddings",
        },
        same=_SAME,
        absent={**_BASE, "sliding_window": None},
        facts={"hidden_act": "silu"},
    ),
    "gpt2": GgufArchitecture(
        model_type="gpt2",
        model="GPT2LMHeadModel",
        keys={
            "vocab_size": "vocab_size",
            "block_count": "n_layer",
            "context_length": "n_positions",
            "embedding_length": "n_embd",
            "feed_forward_length": "n_inner",
            "attention.head_count": "n_head",
            "attention.layer_norm_epsilon": "layer_norm_epsilon",
        },
        facts={"activation_function": "gelu_new"},
    ),
}
"""The architectures by their word."""

SCALING = {
    "rope.scaling.type": "rope_type",
    "rope.scaling.factor": "factor",
    "rope.scaling.original_context_length": "original_max_position_embeddings",
    "rope.scaling.attn_factor": "attention_factor",
    "rope.scaling.yarn_beta_fast": "beta_fast",
    "rope.scaling.yarn_beta_slow": "beta_slow",
}
"""The keys of a scaling of rotary positions, and what they are called in `rope_scaling`."""

ONLY: Mapping[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "rope.scaling.finetuned": (True, False),
    "tensor_data_layout": ("Meta AI original pth",),
}
"""Keys of any architecture that have a single supported value, or change nothing."""
