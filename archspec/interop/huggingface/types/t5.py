"""The model type `t5`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    ACTIVATIONS,
    FRESH,
    Configuration,
    Keys,
    activation,
    dropout,
    end_ids,
    everywhere,
    follows,
    inert,
    must,
    number,
    part_of,
    reads,
    size,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.stacks import ATTENTIONS, DECODER_LAYERS, FEED_FORWARDS, in_all, of_decoder
from archspec.interop.huggingface.told import UNTOLD, Told

_LAYOUT = "weights.huggingface"
_HALVES = {"memory": 1, "states": 2}
"""By stack, the number of the feed-forward block in a block of the original."""
_GATED_WORDS = {"gelu": "gelu_python", "gelu_new": "gelu"}
"""Activations whose name behind `gated-` is another."""


def stack_keys(*stacks: str) -> Keys:
    """The keys that concern each of the stacks: `memory`, `states`."""

    def feed_forward(given: JsonValue, configuration: Configuration) -> Changes:
        word, gated = _activation(given)
        blocks = {f"graph.{stack}.feed_forward": {"activation": word} for stack in stacks}
        if not gated:
            return blocks
        lines = {f"{stack}.layers.*": {"map": _gated(_HALVES[stack])} for stack in stacks}
        return {**{path: {**block, "gated": True} for path, block in blocks.items()}, _LAYOUT: {"map": lines}}

    parts = [part for part in (*ATTENTIONS, *FEED_FORWARDS) if part.split(".")[1] in stacks]
    distances = [f"graph.{stack}.attention.positions" for stack in stacks]
    return {
        "relative_attention_num_buckets": in_all(size, distances, "buckets"),
        "relative_attention_max_distance": in_all(size, distances, "max_distance"),
        # One rate for all: that of attention and that between two products, too.
        "dropout_rate": everywhere(dropout, ["defaults.dropout", *(f"{part}.dropout" for part in parts)]),
        "feed_forward_proj": reads(feed_forward, back=_told_projection),
    }


def _told_projection(told: Told) -> Any:
    """The activation of feed-forward blocks as a document tells it."""
    word = activation(f"{FEED_FORWARDS[0]}.activation").told(told)
    if word is UNTOLD or told.plain(f"{FEED_FORWARDS[0]}.gated") is not True:
        return word
    # `gated-gelu` would be the approximation by tanh.
    return f"gated-{_GATED_WORDS.get(word, word)}"


def _split(value: object) -> list[str]:
    """The words of `feed_forward_proj`: `relu`, `gated-gelu`."""
    # Version 1.1 of T5 says `gated-gelu` of the approximation by tanh.
    return ["gated", "gelu_new"] if value == "gated-gelu" else str(value).split("-")


def _parts(configuration: Configuration) -> list[str]:
    return _split(configuration.value("feed_forward_proj"))


def _activation(given: JsonValue) -> tuple[str, bool]:
    """The activation of feed-forward blocks, and whether a gate is multiplied with it."""
    parts = _split(given.value)
    word = parts[-1]
    if word not in ACTIVATIONS or len(parts) > 2 or (len(parts) == 2 and parts[0] != "gated"):
        given.refuse("expected an activation, or `gated-` and an activation")
    return ACTIVATIONS[word], len(parts) == 2


def _gated(number: int) -> Changes:
    """The lines of a layout for a feed-forward block with a gate, in place of those without."""
    theirs = f"layer.{number}.DenseReluDense.(wi_0 wi_1 wo)"
    return {"feed_forward.(up down)": None, "feed_forward.(gate up down)": theirs}


UNTIED: Changes = {
    "graph.logits": {"tie": None, "scale": None, "vocab": "vocab"},
    _LAYOUT: {"tied": {"lm_head.weight": None}, "map": {"logits.weight": "lm_head.weight"}},
}
"""A matrix for the logits that is not the table of tokens; the states are not scaled before it."""


def _tied(given: JsonValue, configuration: Configuration) -> Changes:
    """Whether the table of tokens gives the logits, too. Versions before 5 scale the states only there."""
    scaled = configuration["scale_decoder_outputs"]
    if scaled.value not in (None, True, False):
        scaled.refuse("expected true, false or null")
    if given.value is False:
        if scaled.value:
            scaled.refuse("scaled states before a matrix of its own for the logits are not supported")
        return UNTIED
    if given.value is not True:
        given.refuse("expected true or false")
    return {"graph.logits": {"scale": None}} if scaled.value is False else {}


def _told_tied(told: Told) -> bool:
    """Whether the logits of a document read the table of tokens."""
    return told.has("graph.logits.tie")


def _told_scaled(told: Told) -> bool:
    """Whether a document scales the states before the logits."""
    return told.has("graph.logits.scale")


ENCODER = Architecture(
    changes={
        "dims.tgt": None,
        "reduced.dims.tgt": None,
        "inputs.tgt_ids": None,
        "graph": {"target": None, "states": None, "logits": None},
        "outputs": {"logits": None, "memory": "float[batch, src, d_model]"},
        "rules": [
            "{ignores: {output: memory, input: src_ids, where: not src_valid}}",
            "{sees: {output: memory, input: src_ids}}",
        ],
        "decode": None,
        _LAYOUT: {
            "skip": ["decoder", "lm_head"],
            "tied": {"(encoder decoder).embed_tokens.weight": None, "lm_head.weight": None}
            | {"encoder.embed_tokens.weight": "shared.weight"},
            "map": {"states.attention.positions": None, "states.layers.*": None, "states.final_norm": None},
        },
    },
    keys={
        **stack_keys("memory"),
        "num_decoder_layers": inert("this architecture has no decoder"),
        "tie_word_embeddings": inert("this architecture has no logits"),
        "scale_decoder_outputs": inert("this architecture has no logits"),
        "decoder_start_token_id": inert("this architecture has no decoder"),
        "eos_token_id": inert("this architecture has no decoder"),
        "is_encoder_decoder": inert("this architecture is the encoder alone"),
    },
    outputs={"memory": "last_hidden_state"},
)
"""The encoder alone."""


class T5(ModelType):
    """T5, version 1.0 and 1.1, and models of its shape."""

    word = "t5"
    about = "T5 and models of its shape (Raffel et al. 2019, arXiv 1910.10683)"
    base = "t5-small"
    inputs = {"src_ids": "input_ids", "src_valid": "attention_mask", "tgt_ids": "decoder_input_ids"}
    architectures = {
        "T5ForConditionalGeneration": Architecture(outputs={"logits": "logits"}),
        "T5EncoderModel": ENCODER,
    }
    reads_names = True
    keys = {
        "vocab_size": size("constants.vocab"),
        "d_model": size("constants.d_model"),
        "d_kv": size("constants.head_dim"),
        "d_ff": size("constants.d_ff"),
        "num_layers": size("constants.layers"),
        "num_decoder_layers": of_decoder("layers", "num_layers", DECODER_LAYERS, none=True),
        "num_heads": size("constants.heads"),
        "n_positions": size("constants.longest"),
        **stack_keys("memory", "states"),
        "layer_norm_epsilon": number("defaults.norm.eps"),
        # The original goes by these two where a file holds them.
        "dense_act_fn": follows("the activation of `feed_forward_proj`", lambda given: _parts(given)[-1]),
        "is_gated_act": follows("whether `feed_forward_proj` is gated", lambda given: len(_parts(given)) == 2),
        "tie_word_embeddings": reads(_tied, back=_told_tied),
        "scale_decoder_outputs": part_of("tie_word_embeddings", back=_told_scaled),
        "is_encoder_decoder": must(True, why="one half of it as a model of its own is not supported"),
        "decoder_start_token_id": size("decode.start", least=0),
        "eos_token_id": end_ids(),
        "initializer_factor": FRESH,
        "classifier_dropout": inert("this architecture has no classifier"),
    }
    defaults = {
        "vocab_size": 32128,
        "d_model": 512,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 6,
        "num_decoder_layers": None,
        "num_heads": 8,
        "n_positions": 512,
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
        "dropout_rate": 0.1,
        "layer_norm_epsilon": 1e-6,
        "feed_forward_proj": "relu",
        "dense_act_fn": None,
        "is_gated_act": None,
        "tie_word_embeddings": True,
        "scale_decoder_outputs": None,
        "is_encoder_decoder": True,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "initializer_factor": 1.0,
        "classifier_dropout": 0.0,
    }
    aliases = {
        "hidden_size": "d_model",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "num_layers",
        "head_dim": "d_kv",
    }
    small = (
        {
            "vocab_size": 60,
            "d_model": 64,
            "d_kv": 12,
            "d_ff": 96,
            "num_layers": 2,
            "num_heads": 4,
            "n_positions": 24,
            "decoder_start_token_id": 0,
        },
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 3},
        {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 14, "layer_norm_epsilon": 1e-3},
        {"feed_forward_proj": "silu", "dropout_rate": 0.0},
    )

    def told_by_names(self, architecture: str, given: JsonValue, names: Collection[str]) -> Changes:
        """A matrix of its own for the logits, which folders of version 1.1 have.

        transformers 5 writes into them that the table of tokens gives the logits, reads the matrix all the same, and
        keeps in `scale_decoder_outputs` that states are not scaled.
        """
        scaled = given.members.get("scale_decoder_outputs")
        is_unscaled = scaled is not None and scaled.value is False
        has_head = "lm_head.weight" in names and architecture == "T5ForConditionalGeneration"
        return UNTIED if is_unscaled and has_head else {}
