"""The model type `deit`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.keys import classes
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.vision import POOLER, SQUARE_PATCHES, SQUARE_PATCHES_DEFAULTS

_LAYOUTS = ("weights.huggingface", "weights.huggingface-4")
_HEADS = ("cls_classifier", "distillation_classifier", "classifier")


def _headed(node: str, chain: str, lines: dict[str, Any], skip: list[str]) -> dict[str, Any]:
    """A chain in place of the two classifiers, with its lines in both layouts."""
    gone = dict.fromkeys(("class_logits.1", "distilled_logits.1", "logits.1"))
    return {
        **{f"graph.{name}": None for name in ("logits", "class_logits", "distilled", "distilled_logits")},
        f"graph.{node}": chain,
        **{layout: {**({"skip": skip} if skip else {}), "map": {**gone, **lines}} for layout in _LAYOUTS},
    }


_ONE: Changes = _headed(
    "logits",
    "[{block: pool, input: states, kind: first}, {block: linear, dim: classes}]",
    {"logits.1": "classifier"},
    [],
)
_POOLED: Changes = {
    "constants.classes": None,
    "reduced.constants.classes": None,
    **_headed(
        "pooled",
        "[{block: pool, input: states, kind: first}, {block: linear, dim: d_model, activation: tanh}]",
        {"pooled.1": "pooler.dense"},
        list(_HEADS),
    ),
    "outputs": {
        "logits": None,
        "pooled": "float[batch, d_model]",
        "states": "float[batch, image//patch * (image//patch) + 2, d_model]",
    },
    "rules": "[{sees: {output: pooled, input: pixels}}]",
}


class Deit(ModelType):
    """DeiT, with a token of distillation behind the class token."""

    word = "deit"
    about = "DeiT, with a second token that learned from a teacher (Touvron et al. 2021, arXiv 2012.12877)"
    base = "deit-s-distilled"
    inputs = {"pixels": "pixel_values"}
    architectures = {
        "DeiTForImageClassificationWithTeacher": Architecture(
            outputs={"logits": "logits"}, keys=classes("constants.classes")
        ),
        "DeiTForImageClassification": Architecture(
            changes=_ONE, outputs={"logits": "logits"}, keys=classes("constants.classes")
        ),
        "DeiTModel": Architecture(
            changes=_POOLED,
            keys=POOLER,
            outputs={"states": "last_hidden_state", "pooled": "pooler_output"},
            body="deit.",
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
        {"qkv_bias": False, "num_channels": 1, "hidden_act": "relu", "pooler_output_size": 20},
    )
