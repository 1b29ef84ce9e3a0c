"""The model type `clip`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.common import nested
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
    side,
    size,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import channels

_NORMS = must(1e-5, why="both towers have one epsilon here")
_DROPOUT = must(0.0, why="no version of the original has dropout but that of its attention")
_PROJECTION = inert("the model's own `projection_dim` is taken")


def _end(given: JsonValue, configuration: Configuration) -> Changes:
    """Where a text ends: at its largest id where the file says 2, as older files do, else at the first such id."""
    if given.value == 2:
        return {}
    found = size("constants.end", least=0).changes(given, configuration)
    ends = {"block": "select", "input": "ids", "where": "ids == end"}
    return {**found, "reduced.constants.end": 96, "graph.end_of_text": [ends, {"block": "argmax", "axis": -1}]}


_TEXT = nested(
    keys={
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_text"),
        "intermediate_size": size("constants.text_hidden"),
        "num_hidden_layers": size("constants.layers"),
        "num_attention_heads": size("constants.text_heads"),
        "max_position_embeddings": size("constants.context"),
        "hidden_act": activation("graph.text_states.feed_forward.activation"),
        "attention_dropout": dropout("graph.text_states.attention.dropout"),
        "dropout": _DROPOUT,
        "layer_norm_eps": _NORMS,
        "eos_token_id": reads(_end, back=lambda told: told.number("constants.end") or 2),
        "projection_dim": _PROJECTION,
        "initializer_range": FRESH,
        "initializer_factor": FRESH,
    },
    defaults={
        "vocab_size": 49408,
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "attention_dropout": 0.0,
        "dropout": 0.0,
        "layer_norm_eps": 1e-5,
        "eos_token_id": 49407,
        "projection_dim": 512,
        "initializer_range": 0.02,
        "initializer_factor": 1.0,
    },
)
_IMAGE = nested(
    keys={
        "hidden_size": size("constants.d_image"),
        "intermediate_size": size("constants.image_hidden"),
        "num_hidden_layers": size("constants.image_layers"),
        "num_attention_heads": size("constants.image_heads"),
        "num_channels": channels("float[images, {count}, image, image]"),
        "image_size": side("constants.image"),
        "patch_size": side("constants.patch"),
        "hidden_act": activation("graph.image_states.feed_forward.activation"),
        "attention_dropout": dropout("graph.image_states.attention.dropout"),
        "dropout": _DROPOUT,
        "layer_norm_eps": _NORMS,
        "projection_dim": _PROJECTION,
        "initializer_range": FRESH,
        "initializer_factor": FRESH,
    },
    defaults={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 32,
        "hidden_act": "quick_gelu",
        "attention_dropout": 0.0,
        "dropout": 0.0,
        "layer_norm_eps": 1e-5,
        "projection_dim": 512,
        "initializer_range": 0.02,
        "initializer_factor": 1.0,
    },
)
_OLDER = must(None, why="two configurations of one tower are not supported")


class Clip(ModelType):
    """CLIP, a tower for images and one for texts."""

    word = "clip"
    about = "CLIP, images beside texts, compared all with all (Radford et al. 2021, arXiv 2103.00020)"
    base = "clip-vit-b32"
    inputs = {"pixels": "pixel_values", "ids": "input_ids"}
    architectures = {
        "CLIPModel": Architecture(
            outputs={"logits": "logits_per_image", "image_embeds": "image_embeds", "text_embeds": "text_embeds"}
        ),
    }
    keys = {
        "text_config": _TEXT,
        "vision_config": _IMAGE,
        "projection_dim": size("constants.shared"),
        "logit_scale_init_value": number("graph.logit_scale.init"),
        "initializer_factor": FRESH,
        "text_config_dict": _OLDER,
        "vision_config_dict": _OLDER,
    }
    defaults = {
        "text_config": None,
        "vision_config": None,
        "projection_dim": 512,
        "logit_scale_init_value": 2.6592,
        "initializer_factor": 1.0,
        "text_config_dict": None,
        "vision_config_dict": None,
    }
    small = (
        {
            "text_config": {
                "vocab_size": 60,
                "hidden_size": 64,
                "intermediate_size": 96,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "max_position_embeddings": 24,
                "eos_token_id": 2,
            },
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 128,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 24,
                "patch_size": 8,
            },
            "projection_dim": 20,
        },
        {
            "text_config": {"eos_token_id": 7, "hidden_act": "gelu"},
            "vision_config": {"hidden_act": "relu", "num_channels": 1},
            "logit_scale_init_value": 1.5,
        },
    )
