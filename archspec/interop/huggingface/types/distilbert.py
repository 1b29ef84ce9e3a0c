"""The model type `distilbert`."""

from __future__ import annotations

from archspec.interop.huggingface.heads import DROPPED, DROPPED_STATES, FIRST, answering, classified, product, rates
from archspec.interop.huggingface.keys import FRESH, UNREAD, activation, dropout, inert, size
from archspec.interop.huggingface.masked import HEADED_ACTIVATION, masked_tokens
from archspec.interop.huggingface.model_type import Architecture, ModelType

_ACTIVATION = "graph.states.feed_forward.activation"
_MASKED = masked_tokens(
    names=("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
    tied={"vocab_projector.weight": "embeddings.word_embeddings.weight"},
    skip=["embeddings.position_ids"],
    pooled=None,
    keys={"activation": HEADED_ACTIVATION},
)

_SKIPPED = ["embeddings.position_ids", "vocab_transform", "vocab_layer_norm", "vocab_projector"]


class DistilBert(ModelType):
    """DistilBERT: BERT's layers without types of tokens and without a pooler."""

    word = "distilbert"
    about = "DistilBERT and models of its shape (Sanh et al. 2019, arXiv 1910.01108)"
    base = "distilbert-base"
    inputs = {"ids": "input_ids", "valid": "attention_mask"}
    architectures = {
        "DistilBertModel": Architecture(outputs={"states": "last_hidden_state"}),
        "DistilBertForMaskedLM": _MASKED,
        "DistilBertForSequenceClassification": classified(
            [FIRST, product("relu"), DROPPED],
            {1: "pre_classifier", 3: "classifier"},
            skip=_SKIPPED,
            keys={"seq_classif_dropout": rates(2)},
        ),
        "DistilBertForTokenClassification": classified(
            [DROPPED_STATES],
            {1: "classifier"},
            skip=_SKIPPED,
            keys={"dropout": rates(0, also="defaults.dropout")},
        ),
        "DistilBertForQuestionAnswering": answering(
            [DROPPED_STATES],
            {1: "qa_outputs"},
            skip=_SKIPPED,
            keys={"qa_dropout": rates(0, node="scores")},
        ),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "dim": size("constants.d_model"),
        "n_layers": size("constants.layers"),
        "n_heads": size("constants.heads"),
        "hidden_dim": size("constants.d_ff"),
        "activation": activation(_ACTIVATION),
        "dropout": dropout("defaults.dropout"),
        "attention_dropout": dropout("graph.states.attention.dropout"),
        "max_position_embeddings": size("constants.context"),
        "sinusoidal_pos_embds": inert("only fresh weights differ: the table of positions is stored either way"),
        "initializer_range": FRESH,
        "qa_dropout": inert("this architecture does not answer questions"),
        "seq_classif_dropout": inert("this architecture has no classifier"),
        "tie_weights_": inert(UNREAD),
    }
    defaults = {
        "vocab_size": 30522,
        "dim": 768,
        "n_layers": 6,
        "n_heads": 12,
        "hidden_dim": 3072,
        "activation": "gelu",
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "max_position_embeddings": 512,
        "sinusoidal_pos_embds": False,
        "initializer_range": 0.02,
        "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
        "tie_weights_": True,
    }
    aliases = {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"}
    small = (
        {
            "vocab_size": 60,
            "dim": 64,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 96,
            "max_position_embeddings": 24,
        },
        {"activation": "relu", "n_heads": 2, "dropout": 0.0},
        {"activation": "gelu_new", "n_layers": 3, "attention_dropout": 0.0},
    )
