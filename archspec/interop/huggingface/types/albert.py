"""The model type `albert`."""

from __future__ import annotations

from archspec.interop.huggingface.heads import DROPPED_STATES, answering, classified, rates
from archspec.interop.huggingface.keys import FRESH, UNREAD, activation, dropout, inert, must, number, size
from archspec.interop.huggingface.masked import HEADED_ACTIVATION, masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType

_UNREAD = ("down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks")
_ACTIVATION = "graph.states.feed_forward.activation"
_MASKED = masked_tokens(
    names=("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
    tied={
        "predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    skip=["embeddings.position_ids", "pooler", "sop_classifier"],
    pooled="pooled.1",
    keys={"hidden_act": HEADED_ACTIVATION},
    dim="d_token",
    table="source.0.table",
)

_SKIPPED = ["embeddings.position_ids", "predictions", "sop_classifier"]


class Albert(ModelType):
    """ALBERT: one layer that is used again and again, behind a table of narrow rows."""

    word = "albert"
    about = "ALBERT and models of its shape (Lan et al. 2019, arXiv 1909.11942)"
    base = "albert-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask", "types": "token_type_ids"}
    architectures = {
        "AlbertModel": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
        "AlbertForMaskedLM": _MASKED,
        "AlbertForSequenceClassification": classified(
            [{**DROPPED_STATES, "input": "pooled"}],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"classifier_dropout_prob": rates(0)},
        ),
        "AlbertForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=[*_SKIPPED, "pooler"],
            keys={"classifier_dropout_prob": rates(0, otherwise="hidden_dropout_prob")},
        ),
        "AlbertForQuestionAnswering": answering([], {0: "qa_outputs"}, skip=[*_SKIPPED, "pooler"], keys={}),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "embedding_size": size("constants.d_token"),
        "hidden_size": size("constants.d_model"),
        "num_hidden_layers": size("constants.layers"),
        "num_hidden_groups": must(1, why="groups of layers with weights of their own are not supported"),
        "inner_group_num": must(1, why="several layers that are repeated together are not supported"),
        "num_attention_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff"),
        "hidden_act": activation(_ACTIVATION),
        # In training the paper's code drops what the feed-forward block gives, too; the original does not.
        "hidden_dropout_prob": dropout("defaults.dropout"),
        "attention_probs_dropout_prob": dropout("graph.states.attention.dropout"),
        "max_position_embeddings": size("constants.context"),
        "type_vocab_size": size("constants.segments"),
        "layer_norm_eps": number("defaults.norm.eps"),
        "initializer_range": FRESH,
        "classifier_dropout_prob": inert("this architecture has no classifier"),
        **dict.fromkeys(_UNREAD, inert(UNREAD)),
    }
    defaults = {
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_hidden_layers": 12,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
        "classifier_dropout_prob": 0.1,
        **dict.fromkeys(_UNREAD),
    }
    small = (
        {
            "vocab_size": 60,
            "embedding_size": 24,
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "max_position_embeddings": 24,
        },
        {"hidden_act": "relu", "type_vocab_size": 3, "layer_norm_eps": 1e-3, "embedding_size": 64},
        {"hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
    )
