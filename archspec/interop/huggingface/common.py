"""The keys that configurations of every model type may have (`PreTrainedConfig` and its older versions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.interop.huggingface.key_table import KeyTable, NestedKey
from archspec.interop.huggingface.keys import ConfigurationKey, Keys, inert, must

_OUTPUTS = inert("selects what the original returns beside its outputs")
_ORIGIN = inert("says where the file comes from")
_CODE = inert("selects code of the original that computes the same")
_TRAINING = inert("concerns training alone")
_GENERATION = inert("a setting of generation, which `archspec generate` takes itself")
_TOKEN = inert("the tokenizer says which token this is")
_TOKENIZER = inert("concerns the tokenizer")
_AROUND = inert("sentence-transformers reads it, for what it does with the outputs")

_COMMON: dict[str, tuple[object, ConfigurationKey]] = {
    "model_type": (None, inert("names the type")),
    "architectures": (None, inert("names the class, which is chosen before")),
    "transformers_version": (None, _ORIGIN),
    "_name_or_path": ("", _ORIGIN),
    "name_or_path": ("", _ORIGIN),
    "_commit_hash": (None, _ORIGIN),
    "auto_map": (None, inert("no code that comes with a checkpoint is run")),
    "output_hidden_states": (False, _OUTPUTS),
    "output_attentions": (False, _OUTPUTS),
    "output_past": (True, _OUTPUTS),
    "return_dict": (True, _OUTPUTS),
    "use_return_dict": (True, _OUTPUTS),
    "use_cache": (True, _OUTPUTS),
    "dtype": (None, inert("weights keep the dtype of their file")),
    "torch_dtype": (None, inert("weights keep the dtype of their file")),
    "chunk_size_feed_forward": (0, inert("computes the same in chunks")),
    "torchscript": (False, _CODE),
    "use_bfloat16": (False, _CODE),
    "attn_implementation": (None, _CODE),
    "_attn_implementation": (None, _CODE),
    "_attn_implementation_autoset": (False, _CODE),
    "_experts_implementation": (None, _CODE),
    "experts_implementation": (None, _CODE),
    "_flash_attn_2_enabled": (False, _CODE),
    "tie_last_hidden_states": (None, _OUTPUTS),
    "gradient_checkpointing": (False, _TRAINING),
    "problem_type": (None, inert("selects the loss")),
    "tf_legacy_loss": (False, inert("selects the loss")),
    "finetuning_task": (None, _ORIGIN),
    "sentence_transformers": (None, _AROUND),
    "sbert_ce_default_activation_function": (None, _AROUND),
    "transformers.js_config": (None, _ORIGIN),
    "model_max_length": (None, _TOKENIZER),
    "task_specific_params": (None, _GENERATION),
    "tokenizer_class": (None, _TOKENIZER),
    "prefix": (None, _TOKENIZER),
    "id2label": (None, inert("this architecture has no classes")),
    "label2id": (None, inert("the names of classes are not part of a spec")),
    "num_labels": (None, inert("this architecture has no classes")),
    "_model_name_or_path": (None, _ORIGIN),
    "_num_labels": (None, inert("`id2label` says how many classes there are")),
    "bos_token_id": (None, _TOKEN),
    "eos_token_id": (None, _TOKEN),
    "eos_token_ids": (None, _TOKEN),
    "pad_token_id": (None, _TOKEN),
    "sep_token_id": (None, _TOKEN),
    "unk_token_id": (None, _TOKEN),
    "decoder_start_token_id": (None, _TOKEN),
    "is_encoder_decoder": (False, must(False, why="this type has no decoder beside its encoder")),
    "is_decoder": (False, must(False, why="as a decoder this type is not supported")),
    "add_cross_attention": (False, must(False, why="attention to another model's outputs is not supported")),
    "cross_attention_hidden_size": (None, must(None, why="attention to another model's outputs is not supported")),
    "tie_encoder_decoder": (False, must(False, why="tied encoders and decoders are not supported")),
    "tie_word_embeddings": (True, inert("this architecture has no table for its outputs")),
    "pruned_heads": ({}, must({}, None, why="models without some of their heads are not supported")),
    "quantization_config": (None, must(None, why="quantised weights are not supported")),
    "compression_config": (None, must(None, why="compressed weights are not supported")),
    "per_layer_config": (None, must(None, why="layers of different configurations are not supported")),
}
_GENERATION_KEYS = (
    *("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty"),
    *("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"),
    *("encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores"),
    *("return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"),
    *("exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "forced_decoder_ids"),
)

COMMON = KeyTable(
    keys={name: key for name, (_, key) in _COMMON.items()} | dict.fromkeys(_GENERATION_KEYS, _GENERATION),
    defaults={name: default for name, (default, _) in _COMMON.items()} | dict.fromkeys(_GENERATION_KEYS),
)


def nested(keys: Keys, defaults: Mapping[str, Any], aliases: Mapping[str, str] | None = None) -> ConfigurationKey:
    """A configuration inside a configuration, with its own keys and those that every configuration may have."""
    return NestedKey(table=KeyTable(keys=keys, defaults=defaults, aliases=aliases or {}).over(COMMON))
