"""The model type `whisper`."""

from __future__ import annotations

from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import FRESH, Configuration, dropout, inert, must, reads, size
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.stacks import ACTIVATION, ATTENTIONS, FEED_FORWARDS, in_all, stacks
from archspec.interop.huggingface.told import UNTOLD, Told

_AUGMENTED = inert("masks features in training alone")
_CLASSIFIER = inert("only a classifier of sounds reads it")
_NO_LOGITS = inert("this architecture has no logits")


def _frames(given: JsonValue, configuration: Configuration) -> Changes:
    """The frames of the features: two for each position."""
    (positions,) = size("positions").changes(given, configuration).values()
    return {"constants.frames": 2 * positions}


def _told_positions(told: Told) -> Any:
    """How many positions the frames of a document are."""
    frames = told.number("constants.frames")
    return UNTOLD if frames is None else frames // 2


def _end(given: JsonValue, configuration: Configuration) -> Changes:
    """The id that ends a text, or several."""
    if isinstance(given.value, list):
        given.refuse("expected one id")
    return size("constants.end", least=0).changes(given, configuration)


class Whisper(ModelType):
    """Whisper, from sounds to text."""

    word = "whisper"
    about = "Whisper, from 30 seconds of speech to text (Radford et al. 2022, arXiv 2212.04356)"
    base = "whisper-tiny"
    inputs = {"features": "input_features", "ids": "decoder_input_ids"}
    architectures = {
        "WhisperForConditionalGeneration": Architecture(outputs={"logits": "logits"}),
        "WhisperModel": Architecture(
            changes={
                "constants": {"start": None, "end": None},
                "reduced.constants": {"start": None, "end": None},
                "graph.logits": None,
                "outputs": {"logits": None, "states": "float[batch, length, d_model]"},
                "rules": "[{causal: {output: states, input: ids}}, {sees: {output: states, input: features}}]",
                "decode": None,
                "weights.huggingface": {"tied": None, "skip": ["proj_out"]},
            },
            keys={"decoder_start_token_id": _NO_LOGITS, "eos_token_id": _NO_LOGITS},
            outputs={"states": "last_hidden_state"},
        ),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "num_mel_bins": size("constants.bins"),
        "max_source_positions": reads(_frames, back=_told_positions),
        "max_target_positions": size("constants.context"),
        "d_model": size("constants.d_model"),
        **stacks(),
        "activation_function": ACTIVATION,
        "dropout": dropout("defaults.dropout"),
        "attention_dropout": in_all(dropout, ATTENTIONS, "dropout"),
        "activation_dropout": in_all(dropout, FEED_FORWARDS, "dropout"),
        "scale_embedding": must(False, why="scaled tables are not supported"),
        "tie_word_embeddings": must(True, why="the logits read the table of tokens"),
        "is_encoder_decoder": must(True, why="this type has an encoder and a decoder"),
        "decoder_start_token_id": size("constants.start", least=0),
        "eos_token_id": reads(_end, back=lambda told: told.plain("decode.end")),
        "encoder_layerdrop": inert("drops whole layers in training alone"),
        "decoder_layerdrop": inert("drops whole layers in training alone"),
        "init_std": FRESH,
        "apply_spec_augment": _AUGMENTED,
        "mask_time_prob": _AUGMENTED,
        "mask_time_length": _AUGMENTED,
        "mask_time_min_masks": _AUGMENTED,
        "mask_feature_prob": _AUGMENTED,
        "mask_feature_length": _AUGMENTED,
        "mask_feature_min_masks": _AUGMENTED,
        "use_weighted_layer_sum": _CLASSIFIER,
        "classifier_proj_size": _CLASSIFIER,
        "median_filter_width": inert("only times of words are computed with it"),
    }
    defaults = {
        "vocab_size": 51865,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "d_model": 384,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "encoder_attention_heads": 6,
        "decoder_attention_heads": 6,
        "encoder_ffn_dim": 1536,
        "decoder_ffn_dim": 1536,
        "activation_function": "gelu",
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "scale_embedding": False,
        "tie_word_embeddings": True,
        "is_encoder_decoder": True,
        "decoder_start_token_id": 50257,
        "eos_token_id": 50256,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
        "init_std": 0.02,
        "apply_spec_augment": False,
        "mask_time_prob": 0.05,
        "mask_time_length": 10,
        "mask_time_min_masks": 2,
        "mask_feature_prob": 0.0,
        "mask_feature_length": 10,
        "mask_feature_min_masks": 0,
        "use_weighted_layer_sum": False,
        "classifier_proj_size": 256,
        "median_filter_width": 7,
    }
    aliases = {
        "num_key_value_heads": "encoder_attention_heads",
        "num_attention_heads": "encoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
    }
    small = (
        {
            "vocab_size": 60,
            "num_mel_bins": 6,
            "max_source_positions": 12,
            "max_target_positions": 24,
            "d_model": 64,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 96,
            "decoder_ffn_dim": 96,
            "decoder_start_token_id": 3,
            "eos_token_id": 2,
            "pad_token_id": 1,
        },
        {
            "decoder_layers": 1,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 40,
            "activation_function": "relu",
        },
    )
