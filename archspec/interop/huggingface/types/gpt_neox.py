"""The model type `gpt_neox`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import OWN_HEADS, STATES, norm_eps, plain_base_rotary, tied, without_head
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    activation,
    dropout,
    end_ids,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS

_SIZE = f"{STATES}.attention.positions.size"
_SKIPPED = ("layers.*.attention.(bias masked_bias)", "layers.*.attention.rotary_emb.inv_freq")
_NO_BIAS: Changes = {
    f"{STATES}.attention.bias": False,
    "weights.huggingface.map": {"states.layers.*": {"map": {"attention.(q k v).bias": None}}},
}


def _part_of_head(changes: Changes, configuration: Configuration) -> Changes:
    """A rotation whose size is a constant of the spec."""
    return {**changes, "constants.rotary_dim": changes[_SIZE], _SIZE: None if changes[_SIZE] is None else "rotary_dim"}


class GptNeoX(ModelType):
    """GPT-NeoX and Pythia, attention and feed-forward side by side."""

    word = "gpt_neox"
    about = "GPT-NeoX and Pythia (Black et al. 2022, arXiv 2204.06745)"
    base = "pythia-70m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "GPTNeoXForCausalLM": Architecture(outputs={"logits": "logits"}),
        "GPTNeoXModel": without_head(huggingface=_SKIPPED),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff"),
        "hidden_act": activation(f"{STATES}.feed_forward.activation"),
        "attention_dropout": dropout(f"{STATES}.attention.dropout"),
        "hidden_dropout": dropout("defaults.dropout"),
        "classifier_dropout": OWN_HEADS,
        "max_position_embeddings": size("constants.context"),
        "initializer_range": FRESH,
        "layer_norm_eps": norm_eps(),
        **plain_base_rotary(_part_of_head, in_part=True),
        "use_parallel_residual": switch({True: {}, False: {f"{STATES}.residual": "pre"}}),
        "attention_bias": switch({True: {}, False: _NO_BIAS}),
        "tie_word_embeddings": switch({False: {}, True: tied(table="embed_in.weight")}),
        "eos_token_id": end_ids(),
    }
    aliases = {"rotary_pct": "partial_rotary_factor", "rotary_emb_base": "rope_theta"}
    defaults = {
        "vocab_size": 50432,
        "hidden_size": 6144,
        "num_hidden_layers": 44,
        "num_attention_heads": 64,
        "intermediate_size": 24576,
        "hidden_act": "gelu",
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
        "classifier_dropout": 0.1,
        "max_position_embeddings": 2048,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        **ROTARY_DEFAULTS,
        "partial_rotary_factor": 0.25,
        "attention_bias": True,
        "is_decoder": False,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "max_position_embeddings": 24,
        },
        {"use_parallel_residual": False, "attention_bias": False, "hidden_act": "gelu_new"},
        {
            "tie_word_embeddings": True,
            "layer_norm_eps": 1e-3,
            "hidden_dropout": 0.1,
            "rope_parameters": {
                "rope_type": "linear",
                "rope_theta": 500.0,
                "factor": 4.0,
                "partial_rotary_factor": 0.5,
            },
        },
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}},
    )
