"""The model type `llama`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import untied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.keys import (
    FRESH,
    UNREAD,
    activation,
    dropout,
    end_ids,
    inert,
    must,
    number,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.parts import HEAD_FEATURES, PERMUTED_BIASES
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary

_STATES = "graph.states"
_BIASES = {f"{_STATES}.attention.bias": True}
# Without a layout for GGUF, whose files have a head.
_BODY = without_head(keys={"attention_bias": switch({False: {}, True: _BIASES})})


class Llama(ModelType):
    """Llama 1 to 3, and models of their shape."""

    word = "llama"
    about = "Llama 1 to 3 and models of their shape (Touvron et al. 2023, arXiv 2302.13971)"
    base = "smollm2-135m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "LlamaForCausalLM": Architecture(outputs={"logits": "logits"}),
        "LlamaModel": _BODY,
        "LlamaForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "intermediate_size": size("constants.d_ff"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "num_key_value_heads": size("constants.kv_heads", none="heads", repeats="num_attention_heads"),
        "head_dim": HEAD_FEATURES,
        "hidden_act": activation(f"{_STATES}.feed_forward.activation"),
        "max_position_embeddings": size("constants.context"),
        "rms_norm_eps": number("defaults.norm.eps"),
        **rotary(f"{_STATES}.attention.positions"),
        "attention_bias": switch({False: {}, True: {**_BIASES, **PERMUTED_BIASES}}),
        "attention_dropout": dropout(f"{_STATES}.attention.dropout"),
        "mlp_bias": switch({False: {}, True: {f"{_STATES}.feed_forward.bias": True}}),
        "tie_word_embeddings": switch({True: {}, False: untied(gguf=True)}),
        "eos_token_id": end_ids(),
        "rope_interleaved": must(False, why="pairs of neighbours do not turn in this type"),
        "pretraining_tp": inert("computes the same in slices"),
        "max_sequence_length": inert(UNREAD),
        "is_llama_config": inert(UNREAD),
        "initializer_range": FRESH,
    }
    defaults = {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "head_dim": None,
        "hidden_act": "silu",
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        **ROTARY_DEFAULTS,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "pad_token_id": None,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "rope_interleaved": False,
        "pretraining_tp": 1,
        "max_sequence_length": None,
        "is_llama_config": None,
        "initializer_range": 0.02,
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
            "bos_token_id": 0,
        },
        {"tie_word_embeddings": True, "head_dim": 6, "num_key_value_heads": 4},
        {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu_new", "rms_norm_eps": 1e-3},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}},
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 5000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 12,
            }
        },
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0, "beta_fast": 24.0}},
    )
