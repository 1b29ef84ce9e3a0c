"""The model type `audio-spectrogram-transformer`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, classes, part_of, reads, side, size, switch
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.interop.huggingface.vision import ENCODER, ENCODER_DEFAULTS


def _step(given: JsonValue, configuration: Configuration) -> Changes:
    """How far patches are apart in time, and in frequency where that differs."""
    time = size("constants.stride").changes(given, configuration)
    other = configuration["frequency_stride"]
    if other.value == given.value:
        return time
    return {
        **time,
        **size("constants.frequency_stride").changes(other, configuration),
        "reduced.constants.frequency_stride": "stride + 1",
        "graph.tokens.stride": ["frequency_stride", "stride"],
    }


def _told_frequency(told: Told) -> Any:
    """How far patches of a document are apart in frequency."""
    return told.number("graph.tokens.stride.0") or told.number("graph.tokens.stride") or UNTOLD


class AudioSpectrogram(ModelType):
    """The Audio Spectrogram Transformer."""

    word = "audio_spectrogram_transformer"
    spelled = "audio-spectrogram-transformer"
    about = "Audio Spectrogram Transformer, whose patches may overlap (Gong et al. 2021, arXiv 2104.01778)"
    base = "ast-base"
    inputs = {"spectrogram": "input_values"}
    architectures = {
        "ASTForAudioClassification": Architecture(outputs={"logits": "logits"}, keys=classes("constants.classes")),
    }
    keys = {
        **ENCODER,
        "intermediate_size": size("constants.d_ff"),
        "max_length": size("constants.frames"),
        "num_mel_bins": size("constants.bins"),
        "patch_size": side("constants.patch"),
        "time_stride": reads(_step, back=size("constants.stride").told),
        "frequency_stride": part_of("time_stride", back=_told_frequency),
        "qkv_bias": switch({True: {}, False: {"graph.states.attention.bias": ["out"]}}),
    }
    defaults = {
        **ENCODER_DEFAULTS,
        "intermediate_size": 3072,
        "max_length": 1024,
        "num_mel_bins": 128,
        "patch_size": 16,
        "time_stride": 10,
        "frequency_stride": 10,
        "qkv_bias": True,
    }
    small = (
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
            "max_length": 30,
            "num_mel_bins": 20,
            "patch_size": 8,
            "time_stride": 5,
            "frequency_stride": 5,
            "num_labels": 5,
        },
        {"frequency_stride": 3, "qkv_bias": False, "hidden_act": "relu", "layer_norm_eps": 1e-3},
    )
