"""The model type `bart`."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.interop.huggingface.keys import (
    FRESH,
    ConfigurationKey,
    dropout,
    end_ids,
    everywhere,
    inert,
    must,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.stacks import ACTIVATION, ATTENTIONS, FEED_FORWARDS, in_all, stacks

BODY = Architecture(
    changes={
        "graph.logits": None,
        "outputs": {"logits": None, "states": "float[batch, tgt, d_model]"},
        "rules": [
            "{causal: {output: states, input: tgt_ids}}",
            "{ignores: {output: states, input: src_ids, where: not src_valid}}",
            "{sees: {output: states, input: src_ids}}",
        ],
        "decode": None,
        "weights.huggingface": {
            "skip": ["lm_head", "final_logits_bias"],
            "tied": {"lm_head.weight": None},
            "map": {"logits.1.shift": None},
        },
    },
    keys={
        "eos_token_id": inert("this architecture has no logits"),
        "decoder_start_token_id": inert("this architecture has no logits"),
    },
    outputs={"states": "last_hidden_state"},
)
"""An encoder and a decoder without a head, whose output are the decoder's states."""


def older(*, embedding_norm: bool, sines: bool) -> Mapping[str, tuple[object, ConfigurationKey]]:
    """Keys that versions before 4 read, with what this type has always had: the default, and what it means."""
    always = {
        "add_bias_logits": False,
        "add_final_layer_norm": False,
        "normalize_before": False,
        "normalize_embedding": embedding_norm,
        "static_position_embeddings": sines,
    }
    known = {name: (value, must(value, why="this type has no other form")) for name, value in always.items()}
    return {
        **known,
        "classif_dropout": (0.0, inert("this architecture has no classifier")),
        "extra_pos_embeddings": (2, must(2, why="this type has no other form")),
        "force_bos_token_to_be_generated": (False, inert("a setting of generation")),
    }


_OLDER = older(embedding_norm=True, sines=False)


class Bart(ModelType):
    """BART, and models of its shape."""

    word = "bart"
    about = "BART and models of its shape (Lewis et al. 2020, arXiv 1910.13461)"
    base = "bart-base"
    inputs = {"src_ids": "input_ids", "src_valid": "attention_mask", "tgt_ids": "decoder_input_ids"}
    architectures = {
        "BartForConditionalGeneration": Architecture(outputs={"logits": "logits"}),
        "BartModel": BODY,
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "d_model": size("constants.d_model"),
        "max_position_embeddings": size("constants.context"),
        **stacks(),
        "activation_function": ACTIVATION,
        "dropout": everywhere(dropout, ["defaults.dropout", "graph.source.2.rate", "graph.target.2.rate"]),
        "attention_dropout": in_all(dropout, ATTENTIONS, "dropout"),
        "activation_dropout": in_all(dropout, FEED_FORWARDS, "dropout"),
        "scale_embedding": switch({False: {"graph.tokens.scale": None}, True: {"graph.tokens.scale": "sqrt(d_model)"}}),
        "is_encoder_decoder": must(True, why="one half of it as a model of its own is not supported"),
        "tie_word_embeddings": must(True, why="a matrix of its own for the logits is not supported"),
        "decoder_start_token_id": size("decode.start", least=0),
        "eos_token_id": end_ids(),
        "encoder_layerdrop": inert("concerns training alone"),
        "decoder_layerdrop": inert("concerns training alone"),
        "init_std": FRESH,
        "classifier_dropout": inert("this architecture has no classifier"),
        **{name: key for name, (_, key) in _OLDER.items()},
    }
    defaults = {
        "vocab_size": 50265,
        "d_model": 1024,
        "max_position_embeddings": 1024,
        "encoder_layers": 12,
        "decoder_layers": 12,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 16,
        "encoder_ffn_dim": 4096,
        "decoder_ffn_dim": 4096,
        "activation_function": "gelu",
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "scale_embedding": False,
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "decoder_start_token_id": 2,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
        "init_std": 0.02,
        "classifier_dropout": 0.0,
        **{name: value for name, (value, _) in _OLDER.items()},
    }
    aliases = {
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
    }
    small = (
        {
            "vocab_size": 60,
            "d_model": 64,
            "max_position_embeddings": 24,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 96,
            "decoder_ffn_dim": 96,
        },
        {"scale_embedding": True, "activation_function": "relu", "decoder_layers": 3},
        {"decoder_attention_heads": 2, "decoder_ffn_dim": 40, "dropout": 0.0, "activation_dropout": 0.1},
    )
