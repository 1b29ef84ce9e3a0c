"""Specs that the import writes, and what a person may get wrong in them without any shape telling."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from archspec.interop.huggingface.model_type import MODEL_TYPES
from tests.interop.originals import configuration_class, small
from tests.interop.wrong_maps import Change, Original

transformers = pytest.importorskip("transformers")

_ROWS = """\
            rearrange: "(h p e) d -> (p h e) d"
            sizes: {h: heads, p: 3}
            split: 0
"""
_BIASES = """\
            rearrange: (h p e) -> (p h e)
            sizes: {h: heads, p: 3}
            split: 0
"""
_PLAIN = "            split: 0\n"
FUSED: Mapping[str, tuple[Change, ...]] = {
    "rearrange of fused heads": ((_ROWS, _PLAIN),),
    "rearrange of fused biases": ((_BIASES, _PLAIN),),
    "order of the parts": (("attention.(q k v).weight", "attention.(k q v).weight"),),
    "eps": (("norm: layer_norm", "norm: {kind: layer_norm, eps: 1e-6}"),),
    "scale": (("mask: causal, positions", "mask: causal, scale: 1, positions"),),
}


def imported(word: str, name: str, wrong: Mapping[str, tuple[Change, ...]], exact: float = 1e-12) -> Original:
    """A small model of a type, whose spec is the imported one, equal within `exact` in float64."""
    kind = MODEL_TYPES[word]
    config = configuration_class(kind)(**small(kind, 0))
    return Original(make=getattr(transformers, name), config=config, spec=None, sizes={}, wrong=wrong, exact=exact)


IMPORTED = {
    "gpt_neox": imported(
        "gpt_neox",
        "GPTNeoXForCausalLM",
        {
            **FUSED,
            "layout of rotary positions": (("layout: half", "layout: interleaved"),),
            "how much of a head turns": ((", size: rotary_dim", ""),),
            "activation": (("activation: gelu", "activation: gelu_tanh"),),
            "residual": (("residual: parallel_split", "residual: pre"),),
        },
    ),
    "bloom": imported(
        "bloom",
        "BloomForCausalLM",
        {
            **FUSED,
            "slopes": (("positions: alibi", "positions: none"),),
            "activation": (("activation: gelu_tanh", "activation: gelu"),),
        },
        # Its activation has sqrt(2/pi) with eight digits.
        exact=1e-10,
    ),
    "phi3": imported(
        "phi3",
        "Phi3ForCausalLM",
        {
            "order of the split": (
                ("(q k v).weight: {from: self_attn.qkv_proj", "(q v k).weight: {from: self_attn.qkv_proj"),
            ),
            "gate and up": (("(gate up).weight: {from: mlp.gate_up", "(up gate).weight: {from: mlp.gate_up"),),
            "layout of rotary positions": (("layout: half", "layout: interleaved"),),
            "base of rotary positions": (("base: base", "base: 500"),),
            "eps": (("eps: 1e-5", "eps: 1e-6"),),
            "activation": (("activation: silu", "activation: gelu"),),
            "scale": (("mask: causal, ", "mask: causal, scale: 1, "),),
        },
    ),
    "dinov2": imported(
        "dinov2",
        "Dinov2Model",
        {
            # transformers saves the names of published files.
            "q and k": (("attention.attention.(query key value)", "attention.attention.(key query value)"),),
            "resize of the table": (("resize: bicubic", "resize: bilinear"),),
            "eps": (("eps: 1e-6", "eps: 1e-5"),),
            "activation": (("activation: gelu", "activation: gelu_tanh"),),
            "scale": (("mask: all", "mask: all, scale: 1"),),
        },
    ),
    "distilbert, classes": imported(
        "distilbert",
        "DistilBertForSequenceClassification",
        {
            "q and k": (("attention.(q_lin k_lin v_lin", "attention.(k_lin q_lin v_lin"),),
            "position that is pooled": (("kind: first", "kind: mean"),),
            "activation of the head": (("activation: relu", "activation: gelu"),),
            "activation": (("activation: gelu}", "activation: gelu_tanh}"),),
            "eps": (("eps: 1e-12", "eps: 1e-5"),),
            "scale": (("heads: heads, mask", "heads: heads, scale: 1, mask"),),
        },
    ),
}
"""Five imported specs, each with a fault of every kind that it can have."""
