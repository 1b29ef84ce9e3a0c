"""The model type `qwen2`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import LLAMA_LIKE, untied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.keys import must, part_of, switch
from archspec.interop.huggingface.layer_kinds import late_windows, layer_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.parts import HEAD_FEATURES
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_BODY = without_head(keys=layer_types(late_windows, "states", is_used="use_sliding_window"))


class Qwen2(ModelType):
    """Qwen 2 and 2.5, with biases of queries, keys and values."""

    word = "qwen2"
    about = "Qwen 2 and 2.5 (Yang et al. 2024, arXiv 2407.10671)"
    base = "qwen2.5-0.5b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "Qwen2ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "Qwen2Model": _BODY,
        "Qwen2ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        "head_dim": HEAD_FEATURES,
        **rotary("graph.states.attention.positions"),
        **layer_types(late_windows, is_used="use_sliding_window"),
        "max_window_layers": part_of("layer_types"),
        "tie_word_embeddings": switch({True: {}, False: untied(gguf=True)}),
        "use_mrope": must(False, why="positions of several axes are not supported"),
    }
    defaults = {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 22016,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": None,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        **ROTARY_DEFAULTS,
        "use_sliding_window": False,
        "sliding_window": 4096,
        "max_window_layers": 28,
        "layer_types": None,
        "attention_dropout": 0.0,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
        "use_mrope": False,
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
        {"use_sliding_window": False, "tie_word_embeddings": True},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0}, "hidden_act": "gelu"},
    )
