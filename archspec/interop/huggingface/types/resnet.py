"""The model type `resnet`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, classes, must, reads, size
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import BACKBONE, BACKBONE_DEFAULTS, channels, per_stage, stages

_STAGES = (1, 2, 3, 4)
_ENCODER = "resnet.encoder.stages"


_CHANNELS = [f"graph.stage{stage}.channels" for stage in _STAGES]
_DEPTHS = stages(("layers", "layers2", "layers3", "layers"), [f"graph.stage{stage}.layers" for stage in _STAGES])


def _widths(given: JsonValue, configuration: Configuration) -> Changes:
    """How many channels each stage has, as multiples of the stem's."""
    is_basic = configuration.value("layer_type") == "basic"
    expressions = [f"{2**stage * (1 if is_basic else 4)}*width".removeprefix("1*") for stage in range(4)]
    written = dict(zip(_CHANNELS, expressions, strict=True)) if is_basic else {}
    stem = {"width": configuration.value("embedding_size")}
    return {**written, **per_stage(given, expressions, _CHANNELS, stem)}


def _kind(given: JsonValue, configuration: Configuration) -> Changes:
    """What layers are made of, and where the first stage begins with a projected shortcut."""
    if given.value not in ("bottleneck", "basic"):
        given.refuse("expected `bottleneck` or `basic`")
    changes: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    if given.value == "basic":
        changes |= {f"graph.stage{stage}.kind": "basic" for stage in _STAGES}
        for ours, theirs in (("conv", "convolution"), ("norm", "normalization")):
            lines[f"stage(1 2 3 4).layers.*.{ours}(1 2 3)"] = None
            lines[f"stage(1 2 3 4).layers.*.{ours}(1 2)"] = f"{_ENCODER}.(0 1 2 3).layers.*.layer.(0 1).{theirs}"
    sizes = configuration.value("hidden_sizes")
    keeps = isinstance(sizes, list) and sizes[:1] == [configuration.value("embedding_size")]
    if keeps and configuration.value("downsample_in_first_stage") is False:
        for ours, theirs in (("shortcut", "convolution"), ("shortcut_norm", "normalization")):
            lines[f"stage(1 2 3 4).layers.0.{ours}"] = None
            lines[f"stage(2 3 4).layers.0.{ours}"] = f"{_ENCODER}.(1 2 3).layers.0.shortcut.{theirs}"
    return {**changes, "weights.huggingface": {"map": lines}} if lines else changes


def _first_stage(given: JsonValue, configuration: Configuration) -> Changes:
    """Whether the first stage halves the map."""
    if not isinstance(given.value, bool):
        given.refuse("expected true or false")
    return {"graph.stage1.stride": 2} if given.value else {}


class ResNet(ModelType):
    """Residual networks with the stride on the 3x3 convolutions."""

    word = "resnet"
    about = "Residual network, the stride on the 3x3 convolutions (He et al. 2015, arXiv 1512.03385)"
    base = "resnet-50"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "ResNetForImageClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
    }
    keys = {
        **BACKBONE,
        "embedding_size": size("constants.width"),
        "hidden_sizes": reads(_widths, back=lambda told: told.numbers(_CHANNELS)),
        "depths": _DEPTHS,
        "layer_type": reads(_kind, back=lambda told: told.word("graph.stage1.kind")),
        "num_channels": channels("float[batch, {count}, image, image]"),
        "hidden_act": must("relu", why="the original takes another activation at the end of layers alone"),
        "downsample_in_first_stage": reads(_first_stage, back=lambda told: told.number("graph.stage1.stride") == 2),
        "downsample_in_bottleneck": must(False, why="the stride stands on the 3x3 convolutions"),
    }
    defaults = {
        **BACKBONE_DEFAULTS,
        "embedding_size": 64,
        "hidden_sizes": [256, 512, 1024, 2048],
        "depths": [3, 4, 6, 3],
        "layer_type": "bottleneck",
        "num_channels": 3,
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    unsaid = ("constants.image",)
    small = (
        {"embedding_size": 8, "hidden_sizes": [16, 32, 64, 128], "depths": [2, 1, 2, 1], "num_labels": 5},
        {"hidden_sizes": [8, 16, 32, 64], "layer_type": "basic"},
        {"hidden_sizes": [32, 64, 128, 256], "depths": [1, 1, 1, 1], "downsample_in_first_stage": True},
        {"layer_type": "basic", "num_channels": 1, "downsample_in_first_stage": True},
    )
