"""The model type `olmo2`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import ATTENTION_BIAS, LLAMA_LIKE, tied, without_head
from archspec.interop.huggingface.keys import switch
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary


class Olmo2(ModelType):
    """OLMo 2, whose norms stand behind attention and feed-forward."""

    word = "olmo2"
    about = "OLMo 2 (OLMo team 2025, arXiv 2501.00656)"
    base = "olmo2-1b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Olmo2ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Olmo2Model": without_head(),
    }
    keys = {
        **LLAMA_LIKE,
        **rotary("graph.states.attention.positions"),
        "attention_bias": ATTENTION_BIAS,
        "tie_word_embeddings": switch({False: {}, True: tied()}),
    }
    defaults = {
        "vocab_size": 50304,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "hidden_act": "silu",
        "max_position_embeddings": 2048,
        "initializer_range": 0.02,
        "pad_token_id": 1,
        "bos_token_id": None,
        "eos_token_id": 50279,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rms_norm_eps": 1e-5,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "bos_token_id": 0,
            "eos_token_id": 2,
        },
        {"attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 4, "rms_norm_eps": 1e-3},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}, "hidden_act": "gelu"},
    )
