"""The model type `bert`."""

from __future__ import annotations

from archspec.interop.huggingface.heads import DROPPED_STATES, answering, classified, rates
from archspec.interop.huggingface.keys import FRESH, UNREAD, activation, dropout, inert, must, number, size
from archspec.interop.huggingface.masked import HEADED_ACTIVATION, masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType

_UNREAD = (
    *("directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers"),
    *("pooler_size_per_head", "pooler_type"),
)
_ACTIVATION = "graph.states.feed_forward.activation"
_HEAD = "cls.predictions"
_MASKED = masked_tokens(
    names=(f"{_HEAD}.transform.dense", f"{_HEAD}.transform.LayerNorm", f"{_HEAD}.bias"),
    tied={
        f"{_HEAD}.decoder.weight": "embeddings.word_embeddings.weight",
        f"{_HEAD}.decoder.bias": f"{_HEAD}.bias",
    },
    skip=["embeddings.position_ids", "pooler", "cls.seq_relationship"],
    pooled="pooled.1",
    keys={"hidden_act": HEADED_ACTIVATION},
)

_SKIPPED = ["embeddings.position_ids", "cls"]
"""What files hold beside a head that is not that of masked tokens."""
_TOKENS = rates(0, otherwise="hidden_dropout_prob")


class Bert(ModelType):
    """BERT and models of its shape: MiniLM, most encoders of sentence-transformers."""

    word = "bert"
    about = "BERT and models of its shape (Devlin et al. 2019, arXiv 1810.04805)"
    base = "bert-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask", "types": "token_type_ids"}
    architectures = {
        "BertModel": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
        "BertForMaskedLM": _MASKED,
        "BertForSequenceClassification": classified(
            [{**DROPPED_STATES, "input": "pooled"}],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"classifier_dropout": _TOKENS},
        ),
        "BertForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=[*_SKIPPED, "pooler"],
            keys={"classifier_dropout": _TOKENS},
        ),
        "BertForQuestionAnswering": answering([], {0: "qa_outputs"}, skip=[*_SKIPPED, "pooler"], keys={}),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
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
        **dict.fromkeys(_UNREAD, inert(UNREAD)),
    }
    defaults = {
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "classifier_dropout": None,
        "pad_token_id": 0,
        **dict.fromkeys(_UNREAD),
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
        {"hidden_act": "relu", "type_vocab_size": 3, "layer_norm_eps": 1e-3},
        {"hidden_act": "gelu_new", "num_attention_heads": 2, "hidden_dropout_prob": 0.0},
    )
