"""The model type `convnext`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import FRESH, Configuration, activation, classes, must, number, reads, side, size
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import BACKBONE, BACKBONE_DEFAULTS, BRANCHES, channels, stages

_STAGES = (1, 2, 3, 4)
_LAYER = "blocks.convnext_layer.graph"


_DEPTHS = stages(("layers", "layers", "layers3", "layers"), [f"graph.stage{stage}.repeat" for stage in _STAGES])
_WIDTHS = stages(
    ("width", "2*width", "4*width", "8*width"),
    ["graph.stem.0.channels", *(f"graph.down{stage}.1.channels" for stage in _STAGES[1:])],
)


def _patch(given: JsonValue, configuration: Configuration) -> Changes:
    """The side of the patches that the stem takes."""
    (step,) = side("patch").changes(given, configuration).values()
    return {"graph.stem.0": {"kernel": step, "stride": step}}


def _scale(given: JsonValue, configuration: Configuration) -> Changes:
    """The first scale of the branches; with 0 they have none."""
    if given.value != 0:
        return number(f"{_LAYER}.scaled.init").changes(given, configuration)
    name = "stage(1 2 3 4).*.scaled.scale"
    return {_LAYER: {"scaled": None, "back": {"input": "down"}}, "weights.huggingface": {"map": {name: None}}}


class ConvNext(ModelType):
    """ConvNeXt, of four stages."""

    word = "convnext"
    about = "Convolutional network in the manner of a Transformer (Liu et al. 2022, arXiv 2201.03545)"
    base = "convnext-tiny"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "ConvNextForImageClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
    }
    keys = {
        **BACKBONE,
        "hidden_sizes": _WIDTHS,
        "depths": _DEPTHS,
        "num_stages": must(4, why="other than four stages are not supported"),
        "patch_size": reads(_patch, back=size("graph.stem.0.kernel").told),
        "num_channels": channels("float[batch, {count}, image, image]"),
        "image_size": side("constants.image"),
        "hidden_act": activation(f"{_LAYER}.up.activation"),
        "layer_norm_eps": number("graph.logits.1.eps"),
        "layer_scale_init_value": reads(_scale, back=lambda told: told.number(f"{_LAYER}.scaled.init") or 0.0),
        "drop_path_rate": BRANCHES,
        "initializer_range": FRESH,
    }
    defaults = {
        **BACKBONE_DEFAULTS,
        "hidden_sizes": [96, 192, 384, 768],
        "depths": [3, 3, 9, 3],
        "num_stages": 4,
        "patch_size": 4,
        "num_channels": 3,
        "image_size": 224,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "layer_scale_init_value": 1e-6,
        "drop_path_rate": 0.0,
        "initializer_range": 0.02,
    }
    aliases = {"num_hidden_layers": "num_stages"}
    small = (
        {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1], "image_size": 64, "num_labels": 5},
        {"hidden_sizes": [8, 12, 32, 20], "depths": [2, 1, 1, 3], "patch_size": 2, "hidden_act": "relu"},
        {"layer_scale_init_value": 0.0, "num_channels": 1, "layer_norm_eps": 1e-3},
    )
