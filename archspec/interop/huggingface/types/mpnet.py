"""The model type `mpnet`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.heads import DROPPED, DROPPED_STATES, FIRST, answering, classified, product, rates
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    activation,
    dropout,
    must,
    number,
    reads,
    size,
)
from archspec.interop.huggingface.masked import masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told

_UNTAKEN = 2
"""Rows of the table of positions that no valid position takes: positions begin behind the id of padding, 1."""

_MASKED = masked_tokens(
    names=("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    tied={"lm_head.decoder.weight": "embeddings.word_embeddings.weight", "lm_head.decoder.bias": "lm_head.bias"},
    skip=["embeddings.position_ids", "pooler"],
    pooled="pooled.1",
    keys={},
)


def _positions(given: JsonValue, configuration: Configuration) -> Changes:
    """The positions that tokens can take."""
    size("", least=_UNTAKEN + 1).changes(given, configuration)
    return {"constants.context": given.value - _UNTAKEN}


def _told_positions(told: Told) -> Any:
    """The rows of the table, as a document tells them."""
    context = told.number("constants.context")
    return UNTOLD if context is None else context + _UNTAKEN


_SKIPPED = ["embeddings.position_ids", "lm_head", "pooler"]


class MpNet(ModelType):
    """MPNet, whose positions count valid tokens and whose layers share a bias for distances."""

    word = "mpnet"
    about = "MPNet and models of its shape (Song et al. 2020, arXiv 2004.09297)"
    base = "mpnet-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask"}
    padding = {"ids": "valid"}
    architectures = {
        "MPNetModel": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
        "MPNetForMaskedLM": _MASKED,
        "MPNetForSequenceClassification": classified(
            [FIRST, DROPPED, product("tanh"), DROPPED],
            {2: "classifier.dense", 4: "classifier.out_proj"},
            skip=_SKIPPED,
            keys={"hidden_dropout_prob": rates(1, 3, also="defaults.dropout")},
        ),
        "MPNetForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"hidden_dropout_prob": rates(0, also="defaults.dropout")},
        ),
        "MPNetForQuestionAnswering": answering([], {0: "qa_outputs"}, skip=_SKIPPED, keys={}),
    }
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
        "pad_token_id": must(1, why="the original counts positions by the id 1, whatever this says"),
        "relative_attention_num_buckets": must(32, why="the original sorts distances into 32, whatever this says"),
        "layer_norm_eps": number("defaults.norm.eps"),
        "initializer_range": FRESH,
    }
    defaults = {
        "vocab_size": 30527,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "pad_token_id": 1,
        "relative_attention_num_buckets": 32,
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "max_position_embeddings": 26,
        },
        {"hidden_act": "relu", "layer_norm_eps": 1e-3, "num_attention_heads": 2, "hidden_dropout_prob": 0.0},
    )
