"""The model type `mistral`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import LLAMA_LIKE, tied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.keys import switch
from archspec.interop.huggingface.layer_kinds import windows
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.parts import HEAD_FEATURES
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_BODY = without_head(keys=windows("states"))


class Mistral(ModelType):
    """Mistral, version 0.1 with a window and later ones without."""

    word = "mistral"
    about = "Mistral (Jiang et al. 2023, arXiv 2310.06825)"
    base = "mistral-7b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "MistralForCausalLM": Architecture(outputs={"logits": "logits"}),
        "MistralModel": _BODY,
        "MistralForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        "head_dim": HEAD_FEATURES,
        **rotary("graph.states.attention.positions"),
        **windows(),
        "tie_word_embeddings": switch({False: {}, True: tied(gguf=True)}),
    }
    defaults = {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": None,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "pad_token_id": None,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "sliding_window": 4096,
        "attention_dropout": 0.0,
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
            "sliding_window": 5,
            "bos_token_id": 0,
        },
        {"sliding_window": None, "tie_word_embeddings": True, "head_dim": 6, "hidden_act": "gelu"},
        {"sliding_window": 30, "rms_norm_eps": 1e-3, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    )
