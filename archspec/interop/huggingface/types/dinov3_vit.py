"""The model type `dinov3_vit`."""

from __future__ import annotations

from collections.abc import Callable

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    Keys,
    dropout,
    inert,
    number,
    part_of,
    reads,
    side,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import Told
from archspec.interop.huggingface.vision import (
    BACKBONE,
    BACKBONE_DEFAULTS,
    BRANCHES,
    ENCODER,
    ENCODER_DEFAULTS,
    channels,
)

_ATTENTION = "graph.states.attention"
_JITTER = inert("moves positions in training alone")
_PROJECTIONS = {"q": "query_bias", "k": "key_bias", "v": "value_bias", "out": "proj_bias"}


def _patch(given: JsonValue, configuration: Configuration) -> Changes:
    """The side of a patch; positions are computed, so images may have any number of patches: here up to 48 a side."""
    (step,) = side("patch").changes(given, configuration).values()
    return {"constants.patch": step, "constants.typical": 14 * step, "constants.image": 48 * step}


def _biases(given: JsonValue, configuration: Configuration) -> Changes:
    """Which projections of the attention have a bias."""
    found: list[str] = []
    for ours, theirs in _PROJECTIONS.items():
        one = configuration[theirs]
        if not isinstance(one.value, bool):
            one.refuse("expected true or false")
        if one.value:
            found.append(ours)
    return {f"{_ATTENTION}.bias": True if len(found) == 4 else found or False}


def _told_bias(ours: str) -> Callable[[Told], bool]:
    """Whether a projection of the attention of a document has a bias."""

    def back(told: Told) -> bool:
        given = told.plain(f"{_ATTENTION}.bias")
        return ours in given if isinstance(given, list) else given is not False

    return back


_BIASES: Keys = {
    theirs: reads(_biases, back=_told_bias(ours)) if ours == "q" else part_of("query_bias", back=_told_bias(ours))
    for ours, theirs in _PROJECTIONS.items()
}


def _registers(given: JsonValue, configuration: Configuration) -> Changes:
    """How many tokens without a place; with none, the table of them in the files is empty."""
    if given.value != 0:
        return size("constants.registers").changes(given, configuration)
    layout: Changes = {"skip": ["classifier", "embeddings.register_tokens"], "map": {"tokens.registers": None}}
    return {
        "constants.registers": None,
        "graph.tokens.registers": None,
        "outputs.states": "float[batch, height//patch * (width//patch) + 1, d_model]",
        "weights.huggingface": layout,
        "weights.huggingface-4": layout,
    }


def _gated(given: JsonValue, configuration: Configuration) -> Changes:
    """Whether feed-forwards are gated."""
    if not isinstance(given.value, bool):
        given.refuse("expected true or false")
    if not given.value:
        return {}
    lines: Changes = {
        "states.layers.*": {
            "map": {"feed_forward.(up down)": None, "feed_forward.(gate up down)": "mlp.(gate up down)_proj"}
        }
    }
    return {
        "graph.states.feed_forward.gated": True,
        "weights.huggingface.map": lines,
        "weights.huggingface-4.map": lines,
    }


class Dinov3Vit(ModelType):
    """DINOv3 as a Vision Transformer, with rotary positions in the grid of patches."""

    word = "dinov3_vit"
    about = "DINOv3, with rotary positions in the grid of patches (Simeoni et al. 2025, arXiv 2508.10104)"
    base = "dinov3-small"
    inputs = {"pixels": "pixel_values", "masked": "bool_masked_pos"}
    architectures = {
        "DINOv3ViTModel": Architecture(outputs={"states": "last_hidden_state", "pooled": "pooler_output"}),
    }
    keys = {
        **{name: key for name, key in ENCODER.items() if "dropout" not in name},
        **BACKBONE,
        "intermediate_size": size("constants.d_ff"),
        "attention_dropout": dropout(f"{_ATTENTION}.dropout"),
        "patch_size": reads(_patch, back=size("constants.patch").told),
        "image_size": inert("positions are computed for images of any size"),
        "num_channels": channels("float[batch, {count}, height, width]"),
        "rope_theta": number(f"{_ATTENTION}.positions.base"),
        **_BIASES,
        "mlp_bias": switch({True: {}, False: {"graph.states.feed_forward.bias": False}}),
        "use_gated_mlp": reads(_gated, back=lambda told: told.plain("graph.states.feed_forward.gated") is True),
        "num_register_tokens": reads(_registers, back=lambda told: told.number("graph.tokens.registers") or 0),
        "pos_embed_shift": _JITTER,
        "pos_embed_jitter": _JITTER,
        "pos_embed_rescale": _JITTER,
        "layerscale_value": FRESH,
        "drop_path_rate": BRANCHES,
    }
    defaults = {
        **ENCODER_DEFAULTS,
        **BACKBONE_DEFAULTS,
        "hidden_size": 384,
        "num_attention_heads": 6,
        "layer_norm_eps": 1e-5,
        "intermediate_size": 1536,
        "attention_dropout": 0.0,
        "patch_size": 16,
        "image_size": 224,
        "num_channels": 3,
        "rope_theta": 100.0,
        "query_bias": True,
        "key_bias": False,
        "value_bias": True,
        "proj_bias": True,
        "mlp_bias": True,
        "use_gated_mlp": False,
        "num_register_tokens": 0,
        "pos_embed_shift": None,
        "pos_embed_jitter": None,
        "pos_embed_rescale": 2.0,
        "layerscale_value": 1.0,
        "drop_path_rate": 0.0,
    }
    small = (
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "patch_size": 4,
            "num_register_tokens": 3,
        },
        {"num_register_tokens": 0, "key_bias": True, "num_channels": 1, "rope_theta": 30.0},
        {"use_gated_mlp": True, "mlp_bias": False, "query_bias": False, "value_bias": False, "proj_bias": False},
    )
