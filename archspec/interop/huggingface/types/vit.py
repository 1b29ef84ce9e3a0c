"""The model type `vit`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    Configuration,
    activation,
    classes,
    dropout,
    inert,
    number,
    reads,
    side,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType


def _pooled_features(given: JsonValue, configuration: Configuration) -> Changes:
    """`pooler_output_size`, where it is not the width of the states."""
    if given.value in (None, configuration.value("hidden_size")):
        return {}
    pooled = size("constants.d_pooled").changes(given, configuration)
    return {**pooled, "graph.pooled.1.dim": "d_pooled", "outputs.pooled": "float[batch, d_pooled]"}


class VisionTransformer(ModelType):
    """The Vision Transformer, a class token before patches."""

    word = "vit"
    about = "Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929)"
    base = "vit-b16"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "ViTForImageClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
        "ViTModel": Architecture(
            changes={
                "constants.classes": None,
                "reduced.constants.classes": None,
                "graph": {
                    "logits": None,
                    "pooled": "[{block: pool, input: states, kind: first}, {block: linear, dim: d_model}]",
                },
                "outputs": {
                    "logits": None,
                    "states": "float[batch, (image//patch)*(image//patch) + 1, d_model]",
                    "pooled": "float[batch, d_model]",
                },
                "rules": "[{sees: {output: pooled, input: pixels}}]",
                "weights.huggingface": {"skip": ["classifier"], "map": {"logits.1": None, "pooled.1": "pooler.dense"}},
                "weights.huggingface-4": {
                    "skip": ["classifier"],
                    "map": {"logits.1": None, "pooled.1": "pooler.dense"},
                },
            },
            keys={
                "pooler_output_size": reads(_pooled_features),
                "pooler_act": activation("graph.pooled.1.activation"),
            },
            outputs={"states": "last_hidden_state", "pooled": "pooler_output"},
            body="vit.",
        ),
    }
    keys = {
        "hidden_size": size("constants.d_model"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.heads"),
        "intermediate_size": size("constants.d_ff"),
        "hidden_act": activation("graph.states.feed_forward.activation"),
        "hidden_dropout_prob": dropout("defaults.dropout"),
        "attention_probs_dropout_prob": dropout("graph.states.attention.dropout"),
        "layer_norm_eps": number("defaults.norm.eps"),
        "image_size": side("constants.image"),
        "patch_size": side("constants.patch"),
        "num_channels": size("constants.channels"),
        "qkv_bias": switch({True: {}, False: {"graph.states.attention.bias": ["out"]}}),
        "pooler_output_size": inert("this architecture has no pooler"),
        "pooler_act": inert("this architecture has no pooler"),
        "encoder_stride": inert("only masked images are decoded with it"),
        "initializer_range": inert("only fresh weights differ"),
    }
    defaults = {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": 1e-12,
        "image_size": 224,
        "patch_size": 16,
        "num_channels": 3,
        "qkv_bias": True,
        "pooler_output_size": None,
        "pooler_act": "tanh",
        "encoder_stride": 16,
        "initializer_range": 0.02,
    }
    small = (
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "image_size": 24,
            "patch_size": 8,
            "num_labels": 5,
        },
        {"qkv_bias": False, "num_channels": 1, "image_size": [16, 16], "hidden_act": "relu"},
        {"layer_norm_eps": 1e-3, "pooler_output_size": 20, "pooler_act": "relu"},
    )
