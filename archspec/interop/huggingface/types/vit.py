"""The model type `vit`."""

from __future__ import annotations

from archspec.interop.huggingface.keys import classes
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import POOLED, POOLER, SQUARE_PATCHES, SQUARE_PATCHES_DEFAULTS


class VisionTransformer(ModelType):
    """The Vision Transformer, a class token before patches."""

    word = "vit"
    about = "Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929)"
    base = "vit-b16"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "ViTForImageClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
        "ViTModel": Architecture(
            changes={**POOLED, "outputs.states": "float[batch, image//patch * (image//patch) + 1, d_model]"},
            keys=POOLER,
            outputs={"states": "last_hidden_state", "pooled": "pooler_output"},
            body="vit.",
        ),
    }
    keys = SQUARE_PATCHES
    defaults = SQUARE_PATCHES_DEFAULTS
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
