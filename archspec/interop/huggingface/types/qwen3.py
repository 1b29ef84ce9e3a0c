"""The model type `qwen3`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import ATTENTION_BIAS, LLAMA_LIKE, untied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.keys import part_of, size, switch
from archspec.interop.huggingface.layer_kinds import late_windows, layer_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_BODY = without_head(keys=layer_types(late_windows, "states", is_used="use_sliding_window"))


class Qwen3(ModelType):
    """Qwen 3, whose queries and keys are normalised head by head."""

    word = "qwen3"
    about = "Qwen 3 (Yang et al. 2025, arXiv 2505.09388)"
    base = "qwen3-0.6b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Qwen3ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Qwen3Model": _BODY,
        "Qwen3ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        "head_dim": size("constants.head_dim"),
        **rotary("graph.states.attention.positions"),
        "attention_bias": ATTENTION_BIAS,
        **layer_types(late_windows, is_used="use_sliding_window"),
        "max_window_layers": part_of("layer_types"),
        "tie_word_embeddings": switch({True: {}, False: untied(gguf=True)}),
    }
    defaults = {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 22016,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": 128,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "attention_bias": False,
        "use_sliding_window": False,
        "sliding_window": 4096,
        "max_window_layers": 28,
        "layer_types": None,
        "attention_dropout": 0.0,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    small = (
        {
            "vocab_size": 60,
            "pad_token_id": 0,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 1,
            "bos_token_id": 0,
        },
        {"use_sliding_window": False},
        {"layer_types": ["sliding_attention", "full_attention"]},
        {"attention_bias": True, "head_dim": 6, "tie_word_embeddings": True, "rms_norm_eps": 1e-3},
    )
