"""Keys and changes that vision models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    FRESH,
    Configuration,
    ConfigurationKey,
    Keys,
    activation,
    dropout,
    inert,
    number,
    reads,
    side,
    size,
    switch,
)
from archspec.interop.huggingface.told import UNTOLD, Told

BRANCHES = inert("drops whole branches in training alone; `drop_path` of the spec does so, too")
_BACKBONE = inert("only a backbone returns maps of its stages")

BACKBONE: Keys = dict.fromkeys(
    (
        *("stage_names", "out_features", "out_indices", "_out_features", "_out_indices"),
        *("apply_layernorm", "reshape_hidden_states"),
    ),
    _BACKBONE,
)
"""Keys of classes that give the maps of their stages to other models."""

BACKBONE_DEFAULTS: Mapping[str, Any] = dict.fromkeys(BACKBONE)

ENCODER: Keys = {
    "hidden_size": size("constants.d_model"),
    "num_hidden_layers": size("constants.layers"),
    "num_attention_heads": size("constants.heads"),
    "hidden_act": activation("graph.states.feed_forward.activation"),
    "hidden_dropout_prob": dropout("defaults.dropout"),
    "attention_probs_dropout_prob": dropout("graph.states.attention.dropout"),
    "layer_norm_eps": number("defaults.norm.eps"),
    "initializer_range": FRESH,
}
"""The keys of an encoder over patches, the node `states`."""

ENCODER_DEFAULTS: Mapping[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
}

SQUARE_PATCHES: Keys = {
    **ENCODER,
    "intermediate_size": size("constants.d_ff"),
    "image_size": side("constants.image"),
    "patch_size": side("constants.patch"),
    "num_channels": size("constants.channels"),
    "qkv_bias": switch({True: {}, False: {"graph.states.attention.bias": ["out"]}}),
    "pooler_output_size": inert("this architecture has no pooler"),
    "pooler_act": inert("this architecture has no pooler"),
    "encoder_stride": inert("only masked images are decoded with it"),
}
"""The keys of an encoder over the patches of a square image of one size, as ViT and DeiT have them."""
SQUARE_PATCHES_DEFAULTS: Mapping[str, Any] = {
    **ENCODER_DEFAULTS,
    "intermediate_size": 3072,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "pooler_output_size": None,
    "pooler_act": "tanh",
    "encoder_stride": 16,
}

POOLED: Changes = {
    "constants.classes": None,
    "reduced.constants.classes": None,
    "graph.logits": None,
    "graph.pooled": "[{block: pool, input: states, kind: first}, {block: linear, dim: d_model, activation: tanh}]",
    "outputs": {"logits": None, "pooled": "float[batch, d_model]"},
    "rules": "[{sees: {output: pooled, input: pixels}}]",
    "weights.huggingface": {"skip": ["classifier"], "map": {"logits.1": None, "pooled.1": "pooler.dense"}},
    "weights.huggingface-4": {"skip": ["classifier"], "map": {"logits.1": None, "pooled.1": "pooler.dense"}},
}
"""A pooler in place of the classifier `logits`."""


def pooled_features(given: JsonValue, configuration: Configuration) -> Changes:
    """`pooler_output_size`, where it is not the width of the states."""
    if given.value in (None, configuration.value("hidden_size")):
        return {}
    pooled = size("constants.d_pooled").changes(given, configuration)
    return {**pooled, "graph.pooled.1.dim": "d_pooled", "outputs.pooled": "float[batch, d_pooled]"}


POOLER: Keys = {
    "pooler_output_size": reads(pooled_features, back=size("graph.pooled.1.dim").told),
    "pooler_act": activation("graph.pooled.1.activation"),
}


def hidden_ratio(path: str, width: str) -> ConfigurationKey:
    """How many times as wide as `width` the inner features of a feed-forward are, written at a path."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or value != int(value):
            given.refuse("expected a whole number from 1 up")
        return {path: f"{int(value)}*{width}"}

    return reads(read, back=lambda told: told.ratio(path, width))


def channels(written: str) -> ConfigurationKey:
    """How many channels the input `pixels` has; `written` is its type, with `{count}` for the number."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        (count,) = size("channels").changes(given, configuration).values()
        return {"inputs.pixels": written.format(count=count)}

    return reads(read, back=told_channels)


def told_channels(told: Told) -> Any:
    """How many channels the input `pixels` of a document has."""
    found = told.axis("pixels", 1)
    return UNTOLD if found is None else found


def stages(expressions: Sequence[str], paths: Sequence[str]) -> ConfigurationKey:
    """A key with one size a stage, such as `depths`; `expressions` and `paths` as in `per_stage`."""
    return reads(
        lambda given, configuration: per_stage(given, expressions, paths), back=lambda told: told.numbers(paths)
    )


def per_stage(
    given: JsonValue, expressions: Sequence[str], paths: Sequence[str], known: Mapping[str, Any] | None = None
) -> Changes:
    """A list with one size a stage, such as `[3, 3, 9, 3]`.

    Args:
        given: the list.
        expressions: what the base writes at each stage: a constant, `layers`, or a multiple of one, `2*width`.
        paths: where it is written.
        known: constants that other keys give; the others get the size of the first stage that names them.

    Returns:
        the constants, and for each stage of another size than its expression one of its own: `layers2`.
    """
    sizes = whole_list(given, len(expressions))
    constants = dict(known or {})
    changes: dict[str, Any] = {}
    for stage, (value, expression, path) in enumerate(zip(sizes, expressions, paths, strict=True), 1):
        factor, _, name = expression.rpartition("*")
        if name not in constants:
            constants[name] = changes[f"constants.{name}"] = value
        if value != int(factor or 1) * constants[name]:
            own = f"{name}{stage}"
            changes |= {f"constants.{own}": value, f"reduced.constants.{own}": expression, path: own}
    return changes


def whole_list(given: JsonValue, count: int) -> list[int]:
    """A list of so many whole numbers from 1 up. Raises SpecError E803 for anything else."""
    value = given.value
    if not isinstance(value, list) or len(value) != count or any(type(one) is not int or one < 1 for one in value):
        help = f"a model of this type has {count} stages here: write the spec of another number by hand"
        given.refuse(f"expected a list of {count} whole numbers from 1 up", help)
    return value
