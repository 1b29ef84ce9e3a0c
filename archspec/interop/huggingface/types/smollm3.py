"""The model type `smollm3`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import ATTENTION_BIAS, LLAMA_LIKE, STATES, untied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, SizeKey, inert, must, part_of, reads, switch
from archspec.interop.huggingface.layer_kinds import FULL, kinds_of_layers, layers_of, listed, told_layers
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.rotary import ROTARY_DEFAULTS, rotary
from archspec.interop.huggingface.told import UNTOLD, Told

_NO_WINDOWS = "layers with a window are not supported"


def _turning(given: JsonValue, configuration: Configuration) -> Changes:
    """`no_rope_layers`, a 1 for each layer whose positions turn; else every layer but each fourth, or so."""
    layers = layers_of(configuration)
    if given.value is None:
        (every,) = SizeKey(path="").changes(configuration["no_rope_layer_interval"], configuration).values()
        turns = [int((at + 1) % every != 0) for at in range(layers)]
    elif isinstance(given.value, list) and len(given.value) >= layers and all(one in (0, 1) for one in given.value):
        turns = given.value[:layers]
    else:
        given.refuse(f"expected a list of 0 and 1, one for each of {layers} layers")
    kinds: dict[str, Changes] = {"rotary": {}, "nope": {"attention": {"positions": "none"}}}
    return kinds_of_layers(kinds, ["rotary" if turn else "nope" for turn in turns])


def _told_turning(told: Told) -> Any:
    """`no_rope_layers` of a document."""
    kinds = told_layers(told, "attention.positions")
    return kinds if kinds is UNTOLD else [0 if one == "none" else 1 for one in kinds]


def _types(given: JsonValue, configuration: Configuration) -> Changes:
    """`layer_types`, of which one is supported."""
    if given.value is not None and any(one != FULL for one in listed(given, configuration)):
        given.refuse(_NO_WINDOWS)
    return {}


_BODY = without_head()


class SmolLm3(ModelType):
    """SmolLM3, every fourth layer without positions."""

    word = "smollm3"
    about = "SmolLM3 (Hugging Face 2025)"
    base = "smollm3-3b"
    inputs = {"ids": "input_ids"}
    architectures = {
        "SmolLM3ForCausalLM": Architecture(outputs={"logits": "logits"}),
        "SmolLM3Model": _BODY,
        "SmolLM3ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        **LLAMA_LIKE,
        **rotary(f"{STATES}.attention.positions"),
        "no_rope_layers": reads(_turning, back=_told_turning),
        "no_rope_layer_interval": part_of("no_rope_layers"),
        "layer_types": reads(_types),
        "use_sliding_window": must(False, why=_NO_WINDOWS),
        "sliding_window": inert("`use_sliding_window` switches windows off"),
        "max_window_layers": inert("`use_sliding_window` switches windows off"),
        "attention_bias": ATTENTION_BIAS,
        "mlp_bias": switch({False: {}, True: {f"{STATES}.feed_forward.bias": True}}),
        "tie_word_embeddings": switch({True: {}, False: untied()}),
        "pretraining_tp": inert("computes the same in slices"),
    }
    defaults = {
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "pad_token_id": 128004,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        **ROTARY_DEFAULTS,
        "rope_theta": 2000000.0,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": None,
        "no_rope_layers": None,
        "no_rope_layer_interval": 4,
        "layer_types": None,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "pretraining_tp": 1,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 24,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        {"no_rope_layers": [0, 1, 1, 0], "attention_bias": True, "mlp_bias": True},
        {"no_rope_layer_interval": 5, "tie_word_embeddings": False, "rms_norm_eps": 1e-3},
        {"num_hidden_layers": 2, "no_rope_layers": [0, 0], "hidden_act": "gelu"},
    )
