"""The model type `roberta`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.heads import DROPPED, DROPPED_STATES, FIRST, answering, classified, product, rates
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    activation,
    dropout,
    inert,
    must,
    number,
    part_of,
    reads,
    size,
)
from archspec.interop.huggingface.masked import masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told


def _positions(given: JsonValue, configuration: Configuration) -> Changes:
    """The positions, which begin behind the id of padding: a table has rows that no position takes."""
    pad = configuration["pad_token_id"]
    if type(pad.value) is not int or pad.value < 0:
        pad.refuse("expected an id: positions begin behind it")
    size("", least=pad.value + 2).changes(given, configuration)
    return {"constants.context": given.value - pad.value - 1, "graph.source.positions.offset": pad.value + 1}


def _told_positions(told: Told) -> Any:
    """The rows of the table of positions, as a document tells them."""
    context, offset = told.number("constants.context"), told.number("graph.source.positions.offset")
    return UNTOLD if context is None or offset is None else context + offset


def _told_padding(told: Told) -> Any:
    """The id of padding, as a document tells it."""
    offset = told.number("graph.source.positions.offset")
    return UNTOLD if offset is None else offset - 1


_MASKED = masked_tokens(
    names=("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    tied={"lm_head.decoder.weight": "embeddings.word_embeddings.weight", "lm_head.decoder.bias": "lm_head.bias"},
    skip=["embeddings.position_ids", "pooler"],
    pooled="pooled.1",
    keys={},
)

_SKIPPED = ["embeddings.position_ids", "lm_head", "pooler"]


def roberta_classes(prefix: str) -> Mapping[str, Architecture]:
    """The classes of transformers of a model like RoBERTa, whose names begin with a prefix."""
    return {
        f"{prefix}Model": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
        f"{prefix}ForMaskedLM": _MASKED,
        f"{prefix}ForSequenceClassification": classified(
            [FIRST, DROPPED, product("tanh"), DROPPED],
            {2: "classifier.dense", 4: "classifier.out_proj"},
            skip=_SKIPPED,
            keys={"classifier_dropout": rates(1, 3, otherwise="hidden_dropout_prob")},
        ),
        f"{prefix}ForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"classifier_dropout": rates(0, otherwise="hidden_dropout_prob")},
        ),
        f"{prefix}ForQuestionAnswering": answering([], {0: "qa_outputs"}, skip=_SKIPPED, keys={}),
    }


class Roberta(ModelType):
    """RoBERTa and models of its shape, whose positions count valid tokens."""

    word = "roberta"
    about = "RoBERTa and models of its shape (Liu et al. 2019, arXiv 1907.11692)"
    base = "roberta-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask", "types": "token_type_ids"}
    padding = {"ids": "valid"}
    architectures = roberta_classes("Roberta")
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff"),
        "hidden_act": activation("graph.states.feed_forward.activation"),
        "hidden_dropout_prob": dropout("defaults.dropout"),
        "attention_probs_dropout_prob": dropout("graph.states.attention.dropout"),
        "max_position_embeddings": reads(_positions, back=_told_positions),
        "pad_token_id": part_of("max_position_embeddings", back=_told_padding),
        "type_vocab_size": size("constants.segments"),
        "layer_norm_eps": number("defaults.norm.eps"),
        "position_embedding_type": must("absolute", why="positions relative to each other are not supported"),
        "initializer_range": FRESH,
        "classifier_dropout": inert("this architecture has no classifier"),
    }
    defaults = {
        "vocab_size": 50265,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "pad_token_id": 1,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "classifier_dropout": None,
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
        {"hidden_act": "relu", "type_vocab_size": 3, "layer_norm_eps": 1e-3, "pad_token_id": 4},
    )
