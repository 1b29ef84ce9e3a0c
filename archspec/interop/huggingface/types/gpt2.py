"""The model type `gpt2`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import OWN_HEADS, STATES, norm_eps, untied, without_head
from archspec.interop.huggingface.heads import classified_last
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    DecimalKey,
    activation,
    dropout,
    end_ids,
    inert,
    must,
    part_of,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told

_MASKS = "h.*.attn.(bias masked_bias)"


_SCALES = {(True, False): None, (True, True): "1/(sqrt(d_model//heads)*(layer + 1))"}
_SCALES |= {(False, False): "1", (False, True): "1/(layer + 1)"}
"""The scale of scores, by whether that of a head counts, and the number of the layer."""


def _scale(given: JsonValue, configuration: Configuration) -> Changes:
    """The scale of scores: that of a head, or none, and divided by the number of the layer where that is asked."""
    by_layer = configuration["scale_attn_by_inverse_layer_idx"]
    for flag in (given, by_layer):
        if not isinstance(flag.value, bool):
            flag.refuse("expected true or false")
    scale = _SCALES[given.value, by_layer.value]
    return {} if scale is None else {f"{STATES}.attention.scale": scale}


def _told_scale(at: int) -> Callable[[Told], Any]:
    """Whether one of the two counts in a document."""

    def back(told: Told) -> Any:
        scale = told.word(f"{STATES}.attention.scale")
        return next((flags[at] for flags, text in _SCALES.items() if text == scale), UNTOLD)

    return back


def _dropout_of_tokens(given: JsonValue, configuration: Configuration) -> Changes:
    """`embd_pdrop`, where it is not the dropout of the layers."""
    if given.value == configuration.value("resid_pdrop"):
        return {}
    return DecimalKey(path="graph.source.dropout", below=1).changes(given, configuration)


def _told_dropout(told: Told) -> Any:
    """The dropout of tokens of a document, which is that of the layers where it says nothing else."""
    own = told.number("graph.source.dropout")
    return told.number("defaults.dropout") or 0 if own is None else own


def _end(given: JsonValue, configuration: Configuration) -> Changes:
    """`eos_token_id`, which the spec says by the vocabulary where it is the last token."""
    last = configuration.value("vocab_size")
    if isinstance(last, int) and given.value == last - 1:
        return {}
    return {"constants.end_of_text": None, **end_ids().changes(given, configuration)}


_BODY = without_head(huggingface=[_MASKS])


class Gpt2(ModelType):
    """GPT-2 and models of its shape."""

    word = "gpt2"
    about = "GPT-2 and models of its shape (Radford et al. 2019)"
    base = "gpt2"
    inputs = {"ids": "input_ids"}
    architectures = {
        "GPT2LMHeadModel": Architecture(outputs={"logits": "logits"}),
        "GPT2Model": _BODY,
        "GPT2ForSequenceClassification": classified_last(_BODY),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "n_positions": size("constants.context"),
        "n_embd": size("constants.d_model"),
        "n_layer": size("constants.layers"),
        "n_head": size("constants.heads"),
        "n_inner": size("constants.d_ff", none="4*d_model"),
        "activation_function": activation(f"{STATES}.feed_forward.activation"),
        "resid_pdrop": dropout("defaults.dropout"),
        "embd_pdrop": reads(_dropout_of_tokens, back=_told_dropout),
        "attn_pdrop": dropout(f"{STATES}.attention.dropout"),
        "layer_norm_epsilon": norm_eps(),
        "initializer_range": FRESH,
        **dict.fromkeys(
            ("summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"), OWN_HEADS
        ),
        "summary_first_dropout": OWN_HEADS,
        "scale_attn_weights": reads(_scale, back=_told_scale(0)),
        "scale_attn_by_inverse_layer_idx": part_of("scale_attn_weights", back=_told_scale(1)),
        "reorder_and_upcast_attn": inert("computes the same in another order"),
        "add_cross_attention": must(False, why="attention to another model's outputs is not supported"),
        "n_ctx": inert("`n_positions` says how many positions there are"),
        "tie_word_embeddings": switch({True: {}, False: untied()}),
        "eos_token_id": reads(_end, back=lambda told: told.plain("decode.end")),
    }
    aliases = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    defaults = {
        "vocab_size": 50257,
        "n_positions": 1024,
        "n_embd": 768,
        "n_layer": 12,
        "n_head": 12,
        "n_inner": None,
        "activation_function": "gelu_new",
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "attn_pdrop": 0.1,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "summary_activation": None,
        "summary_proj_to_labels": True,
        "summary_first_dropout": 0.1,
        "scale_attn_weights": True,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "pad_token_id": None,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
        "n_ctx": None,
        "tie_word_embeddings": True,
    }
    small = (
        {
            "vocab_size": 60,
            "pad_token_id": 0,
            "n_positions": 24,
            "n_embd": 64,
            "n_layer": 2,
            "n_head": 4,
            "bos_token_id": 0,
            "eos_token_id": 2,
        },
        {"n_inner": 96, "activation_function": "relu", "scale_attn_by_inverse_layer_idx": True},
        {"scale_attn_weights": False, "layer_norm_epsilon": 1e-3, "tie_word_embeddings": False, "resid_pdrop": 0.0},
    )
