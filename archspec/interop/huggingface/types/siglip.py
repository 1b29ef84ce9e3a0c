"""The model type `siglip`."""

from __future__ import annotations

from archspec.interop.huggingface.common import nested
from archspec.interop.huggingface.keys import FRESH, activation, dropout, everywhere, must, side, size
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import channels

_NORMS = must(1e-6, why="both towers have one epsilon here")


_ACTIVATIONS = ("graph.image_states.feed_forward.activation", "graph.judged.1.activation")
"""Those of the image's tower and of what judges it."""

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
        "layer_norm_eps": _NORMS,
        "projection_size": size("constants.shared", none="d_text", repeats="hidden_size"),
    },
    defaults={
        "vocab_size": 32000,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 64,
        "hidden_act": "gelu_pytorch_tanh",
        "attention_dropout": 0.0,
        "layer_norm_eps": 1e-6,
        "projection_size": None,
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
        "hidden_act": everywhere(activation, _ACTIVATIONS),
        "attention_dropout": dropout("graph.image_states.attention.dropout"),
        "layer_norm_eps": _NORMS,
        "vision_use_head": must(True, why="images without a pooled vector are not compared"),
    },
    defaults={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "attention_dropout": 0.0,
        "layer_norm_eps": 1e-6,
        "vision_use_head": True,
    },
)


class Siglip(ModelType):
    """SigLIP, a tower for images and one for texts, each pair judged by itself."""

    word = "siglip"
    about = "SigLIP, images beside texts, each pair judged by itself (Zhai et al. 2023, arXiv 2303.15343)"
    base = "siglip-base"
    inputs = {"pixels": "pixel_values", "ids": "input_ids"}
    architectures = {
        "SiglipModel": Architecture(
            outputs={"logits": "logits_per_image", "image_embeds": "image_embeds", "text_embeds": "text_embeds"}
        ),
    }
    keys = {"text_config": _TEXT, "vision_config": _IMAGE, "initializer_factor": FRESH}
    defaults = {"text_config": None, "vision_config": None, "initializer_factor": 1.0}
    small = (
        {
            "text_config": {
                "vocab_size": 60,
                "hidden_size": 64,
                "intermediate_size": 96,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "max_position_embeddings": 24,
                "projection_size": 32,
            },
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 128,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 24,
                "patch_size": 8,
            },
        },
        {
            "text_config": {"hidden_act": "gelu"},
            "vision_config": {"hidden_act": "relu", "num_channels": 1},
        },
    )
