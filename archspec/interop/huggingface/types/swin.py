"""The model type `swin`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    UNREAD,
    Configuration,
    activation,
    classes,
    dropout,
    follows,
    inert,
    must,
    number,
    part_of,
    reads,
    side,
    size,
    switch,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.interop.huggingface.vision import (
    BACKBONE,
    BACKBONE_DEFAULTS,
    BRANCHES,
    hidden_ratio,
    stages,
    told_channels,
    whole_list,
)

_STAGES = (1, 2, 3, 4)
_LAYERS = "blocks.stage.graph.y"
_NORMED: Changes = {"skip": ["classifier"], "map": {"logits.(0 2)": None, "states": "swin.layernorm"}}
_INDEX = "encoder.layers.*.blocks.*.attention.self.relative_position_index"


_DEPTHS = stages(("layers", "layers", "layers3", "layers"), [f"graph.stage{stage}.layers" for stage in _STAGES])
_HEADS = stages(("heads", "2*heads", "4*heads", "8*heads"), [f"graph.stage{stage}.heads" for stage in _STAGES])


def _image(given: JsonValue, configuration: Configuration) -> Changes:
    """The image as rows and columns of whole patches."""
    (pixels,) = side("image").changes(given, configuration).values()
    (step,) = side("patch").changes(configuration["patch_size"], configuration).values()
    if pixels % step:
        given.refuse(f"no whole number of patches of {step}")
    return {"constants.rows": pixels // step, "constants.columns": pixels // step}


def _told_image(told: Told) -> Any:
    """The side of the image of a document."""
    rows, step = told.number("constants.rows"), told.number("graph.patches.patch")
    return UNTOLD if rows is None or step is None else rows * step


def _pixels(given: JsonValue, configuration: Configuration) -> Changes:
    """The patches, and the channels of the image."""
    (step,) = side("patch").changes(given, configuration).values()
    (count,) = size("channels").changes(configuration["num_channels"], configuration).values()
    return {
        "graph.patches.patch": step,
        "inputs.pixels": f"float[batch, {count}, {step}*rows, {step}*columns]",
    }


def _eps(given: JsonValue, configuration: Configuration) -> Changes:
    """The epsilon of the norms, but for those between stages, where the original always has 1e-5."""
    eps = number("defaults.norm.eps").changes(given, configuration)
    if given.value == 1e-5:
        return eps
    between = ("patches", *(f"merge{stage}" for stage in _STAGES[1:]))
    return {**eps, **{f"graph.{node}.norm": {"kind": "layer_norm", "eps": 1e-5} for node in between}}


def _stages(configuration: Configuration) -> int:
    return len(whole_list(configuration["depths"], len(_STAGES)))


class Swin(ModelType):
    """The Swin Transformer, of four stages."""

    word = "swin"
    about = "Image classifier with attention in shifted windows (Liu et al. 2021, arXiv 2103.14030)"
    base = "swin-t"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "SwinForImageClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
        "SwinModel": Architecture(
            changes={
                "constants.classes": None,
                "reduced.constants.classes": None,
                "graph": {
                    "logits": None,
                    "states": {"block": "norm", "input": "stage4"},
                    "pooled": {"block": "pool", "input": "states", "kind": "mean"},
                },
                "outputs": {
                    "logits": None,
                    "states": "float[batch, rows//8 * (columns//8), 8*width]",
                    "pooled": "float[batch, 8*width]",
                },
                "rules": "[{sees: {output: pooled, input: pixels}}]",
                "weights.huggingface": _NORMED,
                "weights.huggingface-4": {**_NORMED, "skip": ["classifier", _INDEX]},
            },
            outputs={"states": "last_hidden_state", "pooled": "pooler_output"},
            body="swin.",
        ),
    }
    keys = {
        **BACKBONE,
        "image_size": reads(_image, back=_told_image),
        "patch_size": reads(_pixels, back=size("graph.patches.patch").told),
        "num_channels": part_of("patch_size", back=told_channels),
        "embed_dim": size("constants.width"),
        "depths": _DEPTHS,
        "num_heads": _HEADS,
        "window_size": size("constants.window"),
        "mlp_ratio": hidden_ratio(f"{_LAYERS}.feed_forward.hidden", "d"),
        "qkv_bias": switch({True: {}, False: {f"{_LAYERS}.attention.bias": ["out"]}}),
        "hidden_dropout_prob": dropout("defaults.dropout"),
        "attention_probs_dropout_prob": dropout(f"{_LAYERS}.attention.dropout"),
        "hidden_act": activation(f"{_LAYERS}.feed_forward.activation"),
        "layer_norm_eps": reads(_eps, back=number("defaults.norm.eps").told),
        "use_absolute_embeddings": must(False, why="positions behind the norm of the patches are not supported"),
        "num_layers": follows(
            "the number of stages", lambda configuration: len(whole_list(configuration["depths"], 4))
        ),
        "hidden_size": follows(
            "the features of the last stage", lambda configuration: 8 * configuration.value("embed_dim")
        ),
        "encoder_stride": inert("only masked images are decoded with it"),
        "path_norm": inert(UNREAD),
        "drop_path_rate": BRANCHES,
        "initializer_range": FRESH,
    }
    defaults = {
        **BACKBONE_DEFAULTS,
        "image_size": 224,
        "patch_size": 4,
        "num_channels": 3,
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
        "window_size": 7,
        "mlp_ratio": 4.0,
        "qkv_bias": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "use_absolute_embeddings": False,
        "num_layers": None,
        "hidden_size": None,
        "encoder_stride": 32,
        "path_norm": None,
        "drop_path_rate": 0.1,
        "initializer_range": 0.02,
    }
    aliases = {"num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"}
    small = (
        {
            "image_size": 64,
            "embed_dim": 8,
            "depths": [2, 2, 2, 2],
            "num_heads": [1, 2, 4, 8],
            "window_size": 2,
            "num_labels": 5,
        },
        {"depths": [1, 3, 2, 2], "num_heads": [2, 2, 4, 4], "mlp_ratio": 2.0, "qkv_bias": False},
        {"patch_size": 2, "image_size": 32, "num_channels": 1, "hidden_act": "relu", "layer_norm_eps": 1e-3},
    )
