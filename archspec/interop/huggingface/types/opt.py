"""The model type `opt`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import STATES, causal_rules, untied, without_head
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    ConfigurationKey,
    SizeKey,
    activation,
    dropout,
    end_ids,
    inert,
    must,
    reads,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType

_TRAINING = inert("concerns training alone")
_NO_FINAL_NORM: Changes = {f"{STATES}.final_norm": False, "weights.huggingface.map": {"states.final_norm": None}}


_PROJECTED: Changes = {
    "graph.tokens": {"block": "token_embedding", "ids": "ids", "vocab": "vocab", "dim": "d_embedding"},
    "graph.source": "[{block: linear, input: tokens, dim: d_model, bias: false}, "
    "{block: add_positions, kind: learned, length: context, offset: 2}]",
    "graph.narrowed": {"block": "linear", "input": "states", "dim": "d_embedding", "bias": False},
    "weights.huggingface.map": {
        "source.table": None,
        "source.positions": None,
        "tokens.table": "embed_tokens.weight",
        "source.0": "project_in",
        "source.1.positions": "embed_positions.weight",
        "narrowed": "project_out",
    },
}
"""A table of another width than the states, and linear maps from one to the other and back (OPT of 350M)."""
_HEAD: Changes = {"graph.logits.input": "narrowed"}
_TIED: Changes = {"graph.logits.tie": "tokens.table"}
_BODY: Changes = {
    "outputs.states": {"from": "narrowed", "type": "float[batch, length, d_embedding]"},
    "rules": causal_rules("narrowed"),
}


def _table_width(behind: Changes, tied: Changes) -> ConfigurationKey:
    """`word_embed_proj_dim`, the features of the table; `behind` is what reads the states then, `tied` the table."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        if given.value in (None, configuration.value("hidden_size")):
            return {}
        width = SizeKey(path="constants.d_embedding").changes(given, configuration)
        # A head of its own, which `tie_word_embeddings` makes, reads no table.
        table = tied if configuration.value("tie_word_embeddings") is True else {}
        return {**width, "reduced.constants.d_embedding": 20, **_PROJECTED, **behind, **table}

    return reads(read, back=lambda told: told.number("constants.d_embedding"))


class Opt(ModelType):
    """OPT, whose positions begin at the third row of their table."""

    word = "opt"
    about = "OPT (Zhang et al. 2022, arXiv 2205.01068)"
    base = "opt-125m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "OPTForCausalLM": Architecture(outputs={"logits": "logits"}),
        "OPTModel": without_head(keys={"word_embed_proj_dim": _table_width(_BODY, {})}),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "num_hidden_layers": size("constants.layers"),
        "ffn_dim": size("constants.d_ff"),
        "max_position_embeddings": size("constants.context"),
        "do_layer_norm_before": switch({True: {}, False: {**_NO_FINAL_NORM, f"{STATES}.residual": "post"}}),
        "_remove_final_layer_norm": switch({False: {}, True: _NO_FINAL_NORM}),
        "word_embed_proj_dim": _table_width(_HEAD, _TIED),
        "dropout": dropout(f"{STATES}.dropout"),
        "attention_dropout": dropout(f"{STATES}.attention.dropout"),
        "activation_dropout": _TRAINING,
        "num_attention_heads": size("constants.heads"),
        "activation_function": activation(f"{STATES}.feed_forward.activation"),
        "layerdrop": _TRAINING,
        "init_std": FRESH,
        "enable_bias": switch(
            {True: {}, False: {f"{STATES}.attention.bias": False, f"{STATES}.feed_forward.bias": False}}
        ),
        "layer_norm_elementwise_affine": must(True, why="norms without weights are not supported"),
        "tie_word_embeddings": switch({True: {}, False: untied()}),
        "bos_token_id": size("decode.start", none="none", least=0),
        "eos_token_id": end_ids(),
    }
    defaults = {
        "vocab_size": 50272,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "ffn_dim": 3072,
        "max_position_embeddings": 2048,
        "do_layer_norm_before": True,
        "_remove_final_layer_norm": False,
        "word_embed_proj_dim": None,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "num_attention_heads": 12,
        "activation_function": "relu",
        "layerdrop": 0.0,
        "init_std": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "tie_word_embeddings": True,
    }
    small = (
        {
            "vocab_size": 60,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "ffn_dim": 96,
            "max_position_embeddings": 24,
            "num_attention_heads": 4,
        },
        {"do_layer_norm_before": False, "activation_function": "gelu", "enable_bias": False},
        {"do_layer_norm_before": False, "word_embed_proj_dim": 20},
        {"_remove_final_layer_norm": True, "tie_word_embeddings": False, "word_embed_proj_dim": 20, "dropout": 0.0},
    )
