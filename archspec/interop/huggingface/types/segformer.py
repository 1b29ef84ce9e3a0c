"""The model type `segformer`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    UNREAD,
    Configuration,
    ConfigurationKey,
    activation,
    classes,
    dropout,
    inert,
    must,
    reads,
    size,
)
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.interop.huggingface.vision import BRANCHES, channels, stages, whole_list

_STAGES = (1, 2, 3, 4)


_DEPTHS = stages(("layers",) * 4, [f"graph.stage{stage}.0.repeat" for stage in _STAGES])
_WIDTHS = stages(
    ("channels", "2*channels", "5*channels", "8*channels"), [f"graph.patches{stage}.channels" for stage in _STAGES]
)
_HEADS = [f"graph.stage{stage}.0.heads" for stage in _STAGES]
_HIDDEN = "blocks.mixing.graph.up.1.channels"


def _heads(given: JsonValue, configuration: Configuration) -> Changes:
    """How many heads each stage has."""
    return dict(zip(_HEADS, whole_list(given, len(_HEADS)), strict=True))


def _fixed(*values: int, why: str) -> ConfigurationKey:
    """A list that the spec writes out."""
    return must(list(values), why=why)


def _hidden(given: JsonValue, configuration: Configuration) -> Changes:
    """How many times as wide the inner channels are, the same in all stages."""
    ratios = whole_list(given, 4)
    if len(set(ratios)) > 1:
        given.refuse("stages of different ratios are not supported")
    wide = f"{ratios[0]}*c"
    return {
        _HIDDEN: wide,
        "blocks.mixing.graph.near": {"channels": wide, "groups": wide},
    }


def _told_hidden(told: Told) -> Any:
    """How many times as wide the inner channels of a document are, once for each stage."""
    ratio = told.ratio(_HIDDEN, "c")
    return UNTOLD if ratio is UNTOLD else [ratio] * len(_STAGES)


class Segformer(ModelType):
    """SegFormer, of four stages."""

    word = "segformer"
    about = "SegFormer, a class for every pixel (Xie et al. 2021, arXiv 2105.15203)"
    base = "segformer-b0"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "SegformerForSemanticSegmentation": Architecture(
            outputs={"logits": "logits"},
            changes={
                "graph.scores": None,
                "outputs": dict.fromkeys(("stage1", "stage4", "scores")),
                "rules": "[{sees: {output: logits, input: pixels}}]",
            },
            keys=classes("constants.classes"),
        ),
    }
    keys = {
        "num_channels": channels("float[batch, {count}, height, width]"),
        "num_encoder_blocks": must(4, why="other than four stages are not supported"),
        "depths": _DEPTHS,
        "hidden_sizes": _WIDTHS,
        "num_attention_heads": reads(_heads, back=lambda told: told.numbers(_HEADS)),
        "sr_ratios": _fixed(8, 4, 2, 1, why="other strides of keys are not supported"),
        "patch_sizes": _fixed(7, 3, 3, 3, why="other patches are not supported"),
        "strides": _fixed(4, 2, 2, 2, why="other strides are not supported"),
        "mlp_ratios": reads(_hidden, back=_told_hidden),
        "hidden_act": activation("blocks.mixing.graph.near.activation"),
        "hidden_dropout_prob": must(0.0, why="dropout inside layers is not supported"),
        "attention_probs_dropout_prob": must(0.0, why="dropout of attention is not supported"),
        "classifier_dropout_prob": dropout("graph.logits.2.rate"),
        "decoder_hidden_size": size("constants.fused"),
        "layer_norm_eps": inert("the original has norms of 1e-5 whatever it says"),
        "reshape_last_stage": must(True, why="the last map stays a map"),
        "image_size": inert(UNREAD),
        "downsampling_rates": inert(UNREAD),
        "semantic_loss_ignore_index": inert("only the loss reads it"),
        "drop_path_rate": BRANCHES,
        "initializer_range": FRESH,
    }
    defaults = {
        "num_channels": 3,
        "num_encoder_blocks": 4,
        "depths": [2, 2, 2, 2],
        "hidden_sizes": [32, 64, 160, 256],
        "num_attention_heads": [1, 2, 5, 8],
        "sr_ratios": [8, 4, 2, 1],
        "patch_sizes": [7, 3, 3, 3],
        "strides": [4, 2, 2, 2],
        "mlp_ratios": [4, 4, 4, 4],
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
        "decoder_hidden_size": 256,
        "layer_norm_eps": 1e-6,
        "reshape_last_stage": True,
        "image_size": None,
        "downsampling_rates": None,
        "semantic_loss_ignore_index": 255,
        "drop_path_rate": 0.1,
        "initializer_range": 0.02,
    }
    aliases = {"num_hidden_layers": "num_encoder_blocks"}
    small = (
        {
            "hidden_sizes": [4, 8, 20, 32],
            "depths": [1, 1, 1, 1],
            "decoder_hidden_size": 12,
            "num_labels": 5,
        },
        {
            "depths": [2, 1, 1, 2],
            "hidden_sizes": [8, 12, 20, 24],
            "num_attention_heads": [2, 3, 5, 4],
            "mlp_ratios": [2, 2, 2, 2],
        },
    )
