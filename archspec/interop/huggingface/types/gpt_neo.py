"""The model type `gpt_neo`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import OWN_HEADS, STATES, norm_eps, untied, without_head
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    ConfigurationKey,
    Keys,
    SizeKey,
    activation,
    dropout,
    end_ids,
    part_of,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.layer_kinds import KIND_NAMES, SMALL_WINDOW, kinds_of_layers, mixed_rules, told_types
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told

_MASKS = "h.*.attn.attention.(bias masked_bias)"


def _expanded(given: JsonValue) -> list[str]:
    """`attention_types`, [[["global", "local"], 12]], as the kind of every layer; null is just that."""
    kinds: list[str] = []
    parts = [[["global", "local"], 12]] if given.value is None else given.value
    for part in parts if isinstance(parts, list) else [None]:
        match part:
            case [[*names], int(count)] if names and all(name in ("global", "local") for name in names):
                kinds += names * count
            case _:
                given.refuse("expected pairs of a list of `global` and `local` and of how often it is repeated")
    return kinds


def _layers(output: str) -> ConfigurationKey:
    """`attention_types`; `output` is what the rules speak of."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        kinds = _expanded(given)
        (layers,) = SizeKey(path="").changes(configuration["num_layers"], configuration).values()
        if len(kinds) != layers:
            given.refuse(f"{len(kinds)} kinds are given for {layers} layers")
        listed = configuration["attention_layers"]
        if listed.value is not None and listed.value != kinds:
            listed.refuse("`attention_types` says otherwise")
        (window,) = SizeKey(path="").changes(configuration["window_size"], configuration).values()
        context = configuration.value("max_position_embeddings")
        # A window that no context exceeds is none.
        seen = ["global"] * len(kinds) if isinstance(context, int) and window >= context else kinds
        is_local = "local" in seen
        fields = {"local": {"attention": {"mask": "last(window)"}}, "global": {"attention": {"mask": "causal"}}}
        return {
            "constants.window": window if is_local else None,
            "reduced.constants.window": SMALL_WINDOW if is_local else None,
            **kinds_of_layers(fields, seen),
            "rules": mixed_rules(output, seen),
        }

    return reads(read, back=_told_attention)


def _told_attention(told: Told) -> Any:
    """`attention_types` of a document, every layer by itself."""
    types = told_types(told)
    return types if types is UNTOLD else [[[KIND_NAMES[one] for one in types], 1]]


_PARTS: Keys = {
    "attention_layers": part_of("attention_types"),
    "window_size": part_of("attention_types", back=size("constants.window").told),
}


class GptNeo(ModelType):
    """GPT-Neo, global and local layers in alternation."""

    word = "gpt_neo"
    about = "GPT-Neo (Black et al. 2021, doi 10.5281/zenodo.5297715)"
    base = "gpt-neo-125m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "GPTNeoForCausalLM": Architecture(outputs={"logits": "logits"}),
        "GPTNeoModel": without_head(keys={"attention_types": _layers("states")}, huggingface=[_MASKS]),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "max_position_embeddings": size("constants.context"),
        "hidden_size": size("constants.d_model"),
        "num_layers": size("constants.layers"),
        "attention_types": _layers("logits"),
        **_PARTS,
        "num_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff", none="4*d_model"),
        "activation_function": activation(f"{STATES}.feed_forward.activation"),
        "resid_dropout": dropout(f"{STATES}.dropout"),
        "embed_dropout": dropout("graph.source.dropout"),
        "attention_dropout": dropout(f"{STATES}.attention.dropout"),
        "classifier_dropout": OWN_HEADS,
        "layer_norm_epsilon": norm_eps(),
        "initializer_range": FRESH,
        **dict.fromkeys(
            ("summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"), OWN_HEADS
        ),
        "summary_first_dropout": OWN_HEADS,
        "tie_word_embeddings": switch({True: {}, False: untied()}),
        "eos_token_id": end_ids(),
    }
    aliases = {"num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"}
    defaults = {
        "vocab_size": 50257,
        "max_position_embeddings": 2048,
        "hidden_size": 2048,
        "num_layers": 24,
        "attention_types": None,
        "attention_layers": None,
        "num_heads": 16,
        "intermediate_size": None,
        "window_size": 256,
        "activation_function": "gelu_new",
        "resid_dropout": 0.0,
        "embed_dropout": 0.0,
        "attention_dropout": 0.0,
        "classifier_dropout": 0.1,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "summary_activation": None,
        "summary_proj_to_labels": True,
        "summary_first_dropout": 0.1,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "pad_token_id": None,
        "tie_word_embeddings": True,
    }
    small = (
        {
            "vocab_size": 60,
            "max_position_embeddings": 24,
            "hidden_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 5,
            "bos_token_id": 0,
            "eos_token_id": 2,
        },
        {"attention_types": [[["local"], 2]], "intermediate_size": 96, "activation_function": "relu"},
        {"attention_types": [[["local", "global"], 1]], "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
        {"window_size": 24},
    )
