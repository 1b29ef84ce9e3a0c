"""The model type `electra`."""

from __future__ import annotations

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
    reads,
    size,
)
from archspec.interop.huggingface.masked import HEADED_ACTIVATION, masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import Told

_LAYOUT = "weights.huggingface"
_TABLES = {
    "table": "embeddings.word_embeddings.weight",
    "types": "embeddings.token_type_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "norm": "embeddings.LayerNorm",
}
_UNPROJECTED: Changes = {
    "constants.d_token": None,
    "reduced.constants.d_token": None,
    "graph.source": {
        "block": "token_embedding",
        "ids": "ids",
        "vocab": "vocab",
        "dim": "d_model",
        "types": {"ids": "types", "count": "segments"},
        "positions": {"kind": "learned", "length": "context"},
        "norm": True,
    },
    _LAYOUT: {
        "map": {
            "source.1": None,
            **{f"source.0.{ours}": None for ours in _TABLES},
            **{f"source.{ours}": theirs for ours, theirs in _TABLES.items()},
        }
    },
}
"""Tokens with as many features as the layers."""


def _features(given: JsonValue, configuration: Configuration) -> Changes:
    """The features of a token, which a product brings to those of the layers where they are others."""
    if given.value == configuration.value("hidden_size"):
        return _UNPROJECTED
    return size("constants.d_token").changes(given, configuration)


def _told_features(told: Told) -> int | float | None:
    """The features of a token, as a document tells them."""
    return told.number("constants.d_token") or told.number("constants.d_model")


def _scored_features(given: JsonValue, configuration: Configuration) -> Changes:
    """The same where the table of tokens gives the scores, too."""
    changes = _features(given, configuration)
    if changes is not _UNPROJECTED:
        return changes
    return {**changes, "graph.logits.0.dim": "d_model", "graph.logits.2.tie": "source.table"}


_MASKED = masked_tokens(
    names=("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
    tied={"generator_lm_head.weight": "embeddings.word_embeddings.weight"},
    skip=["embeddings.position_ids"],
    pooled=None,
    keys={"embedding_size": reads(_scored_features, back=_told_features)},
    dim="d_token",
    table="source.0.table",
)

_ACTIVATION = "graph.states.feed_forward.activation"
_HEAD = "discriminator_predictions"
_REPLACED = Architecture(
    changes={
        "graph.logits": [
            {"block": "linear", "input": "states", "dim": "d_model", "activation": "gelu"},
            {"block": "linear", "dim": 1},
            {"block": "rearrange", "pattern": "batch length score -> batch (length score)"},
        ],
        "outputs": {"states": None, "logits": "float[batch, length]"},
        "rules": [
            "{ignores: {output: logits, input: ids, where: not valid}}",
            "{sees: {output: logits, input: ids}}",
        ],
        _LAYOUT: {
            "skip": ["embeddings.position_ids"],
            "map": {"logits.0": f"{_HEAD}.dense", "logits.1": f"{_HEAD}.dense_prediction"},
        },
    },
    keys={"hidden_act": HEADED_ACTIVATION},
    outputs={"logits": "logits"},
)
"""The discriminator, which scores how likely each token was replaced."""

_SKIPPED = ["embeddings.position_ids", _HEAD, "generator_predictions", "generator_lm_head"]


class Electra(ModelType):
    """ELECTRA, small and large, and its generator."""

    word = "electra"
    about = "ELECTRA and models of its shape (Clark et al. 2020, arXiv 2003.10555)"
    base = "electra-small"
    inputs = {"ids": "input_ids", "valid": "attention_mask", "types": "token_type_ids"}
    architectures = {
        "ElectraModel": Architecture(outputs={"states": "last_hidden_state"}),
        "ElectraForPreTraining": _REPLACED,
        "ElectraForMaskedLM": _MASKED,
        "ElectraForSequenceClassification": classified(
            [FIRST, DROPPED, product("gelu"), DROPPED],
            {2: "classifier.dense", 4: "classifier.out_proj"},
            skip=_SKIPPED,
            keys={"classifier_dropout": rates(1, 3, otherwise="hidden_dropout_prob")},
        ),
        "ElectraForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"classifier_dropout": rates(0, otherwise="hidden_dropout_prob")},
        ),
        "ElectraForQuestionAnswering": answering([], {0: "qa_outputs"}, skip=_SKIPPED, keys={}),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "embedding_size": reads(_features, back=_told_features),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff"),
        "hidden_act": activation(_ACTIVATION),
        "hidden_dropout_prob": dropout("defaults.dropout"),
        "attention_probs_dropout_prob": dropout("graph.states.attention.dropout"),
        "max_position_embeddings": size("constants.context"),
        "type_vocab_size": size("constants.segments"),
        "layer_norm_eps": number("defaults.norm.eps"),
        "position_embedding_type": must("absolute", why="positions relative to each other are not supported"),
        "initializer_range": FRESH,
        "classifier_dropout": inert("this architecture has no classifier"),
        "summary_type": inert("this architecture has no summary"),
        "summary_use_proj": inert("this architecture has no summary"),
        "summary_activation": inert("this architecture has no summary"),
        "summary_last_dropout": inert("this architecture has no summary"),
    }
    defaults = {
        "vocab_size": 30522,
        "hidden_size": 256,
        "embedding_size": 128,
        "num_hidden_layers": 12,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "classifier_dropout": None,
        "summary_type": "first",
        "summary_use_proj": True,
        "summary_activation": "gelu",
        "summary_last_dropout": 0.1,
    }
    small = (
        {
            "vocab_size": 60,
            "embedding_size": 24,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "max_position_embeddings": 24,
        },
        {"hidden_act": "relu", "type_vocab_size": 3, "layer_norm_eps": 1e-3, "hidden_dropout_prob": 0.0},
        {"embedding_size": 64, "hidden_act": "gelu_new"},
    )
