"""The model type `dinov2`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import FRESH, Configuration, reads, side, size, switch
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.interop.huggingface.vision import (
    BACKBONE,
    BACKBONE_DEFAULTS,
    BRANCHES,
    ENCODER,
    ENCODER_DEFAULTS,
    channels,
    hidden_ratio,
)

_UNMASKED: Changes = {
    "inputs.masked": None,
    "graph": {"masked_patches": None, "tokens": {"mask_token": None}},
    "weights.huggingface": {"map": {"tokens.mask_token": None}},
    "weights.huggingface-4": {"map": {"tokens.mask_token": None}},
}


def _image(given: JsonValue, configuration: Configuration) -> Changes:
    """The largest image, of whole patches; a typical one is of 224 pixels or fewer."""
    image = side("constants.image").changes(given, configuration)
    pixels, patch = image["constants.image"], configuration["patch_size"]
    (step,) = side("patch").changes(patch, configuration).values()
    if pixels % step:
        given.refuse(f"no whole number of patches of {step}")
    return {**image, "constants.typical": max(min(pixels, 224) // step, 1) * step}


def _gated_width(features: int, ratio: float) -> int:
    """The inner features of a gated feed-forward: two thirds of the others', up to a multiple of 8."""
    return (int(int(features * ratio) * 2 / 3) + 7) // 8 * 8


def _gated(given: JsonValue, configuration: Configuration) -> Changes:
    """`use_swiglu_ffn`: gated by SiLU, and two thirds as wide, up to a multiple of 8."""
    if given.value is False:
        return {}
    features, ratio = configuration.value("hidden_size"), configuration.value("mlp_ratio")
    if given.value is not True or type(features) is not int:
        given.refuse("expected true or false")
    own = {"feed_forward.(up down)": None}
    halves = {
        f"feed_forward.(gate up).{part}": {"from": f"mlp.weights_in.{part}", "split": 0} for part in ("weight", "bias")
    }
    return {
        "constants.d_ff": _gated_width(features, ratio),
        "graph.states.feed_forward": {"activation": "silu", "gated": True},
        "weights.huggingface.map": {
            "states.layers.*": {"map": {**own, "feed_forward.(gate up down)": "mlp.(gate up down)_proj"}}
        },
        "weights.huggingface-4.map": {
            "states.layers.*": {"map": {**own, **halves, "feed_forward.down": "mlp.weights_out"}}
        },
    }


def _is_gated(told: Told) -> bool:
    """Whether the feed-forwards of a document are gated."""
    return told.plain("graph.states.feed_forward.gated") is True


_RATIO = hidden_ratio("constants.d_ff", "d_model")


def _told_ratio(told: Told) -> Any:
    """`mlp_ratio`, of which the inner features of a gated feed-forward follow."""
    features, hidden = told.number("constants.d_model"), told.number("constants.d_ff")
    if not _is_gated(told) or features is None:
        return _RATIO.told(told)
    return next((ratio for ratio in range(1, 33) if _gated_width(int(features), ratio) == hidden), UNTOLD)


class Dinov2(ModelType):
    """DINOv2, whose table of positions is resized to the image."""

    word = "dinov2"
    about = "DINOv2, for images of any size (Oquab et al. 2023, arXiv 2304.07193)"
    base = "dinov2-small"
    inputs = {"pixels": "pixel_values", "masked": "bool_masked_pos"}
    architectures = {
        "Dinov2Model": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
    }
    keys = {
        **ENCODER,
        **BACKBONE,
        "mlp_ratio": reads(_RATIO.changes, back=_told_ratio),
        "image_size": reads(_image, back=size("constants.image").told),
        "patch_size": side("constants.patch"),
        "num_channels": channels("float[batch, {count}, height, width]"),
        "qkv_bias": switch({True: {}, False: {"graph.states.attention.bias": ["out"]}}),
        "use_swiglu_ffn": reads(_gated, back=_is_gated),
        "use_mask_token": switch({True: {}, False: _UNMASKED}),
        "layerscale_value": FRESH,
        "drop_path_rate": BRANCHES,
    }
    defaults = {
        **ENCODER_DEFAULTS,
        **BACKBONE_DEFAULTS,
        "layer_norm_eps": 1e-6,
        "mlp_ratio": 4,
        "image_size": 224,
        "patch_size": 14,
        "num_channels": 3,
        "qkv_bias": True,
        "use_swiglu_ffn": False,
        "use_mask_token": True,
        "layerscale_value": 1.0,
        "drop_path_rate": 0.0,
    }
    small = (
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "mlp_ratio": 2,
            "image_size": 24,
            "patch_size": 8,
        },
        {"qkv_bias": False, "num_channels": 1, "hidden_act": "relu", "layer_norm_eps": 1e-3},
        {"use_swiglu_ffn": True, "use_mask_token": False},
    )
