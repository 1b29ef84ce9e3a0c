"""Settings of generation beside a configuration: the ids that a spec takes, and what it does not say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.interop.huggingface.json_text import JsonValue, read_json
from archspec.spec.spec import Decode

GENERATION = "generation_config.json"
_USUAL: dict[str, Any] = {
    "max_length": 20,
    "min_length": 0,
    "do_sample": False,
    "early_stopping": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "num_return_sequences": 1,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    "remove_invalid_values": False,
}
"""Values that change nothing, as transformers has them where a file leaves them out."""
_SAMPLING: dict[str, Any] = {
    "temperature": 1.0,
    "top_k": None,
    "top_p": 1.0,
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}
"""The same of settings that only sampling reads."""
_OPTIONS = frozenset(
    (
        *("do_sample", "temperature", "top_k", "top_p", "repetition_penalty", "num_beams", "length_penalty"),
        *("early_stopping", "max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    )
)
"""What `archspec generate` takes as options."""
_BANS = frozenset(("suppress_tokens", "bad_words_ids"))
_IDS = ("eos_token_id", "decoder_start_token_id", "bos_token_id", "pad_token_id")
_ELSEWHERE = _BANS | {
    *("forced_bos_token_id", "forced_eos_token_id", "begin_suppress_tokens", "exponential_decay_length_penalty"),
    *("forced_decoder_ids",),
}
_WITHOUT_EFFECT = frozenset(
    (
        *_IDS,
        *("transformers_version", "_from_model_config", "use_cache", "cache_implementation", "cache_config"),
        *("max_cache_len", "low_memory", "compile_config", "disable_compile", "prefill_chunk_size"),
        *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
        *("renormalize_logits", "continuous_batching_config", "is_assistant", "target_lookbehind"),
        *("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
        *("assistant_early_exit", "assistant_lookbehind", "assistant_ensemble_weight", "speculation_type"),
    )
)
"""What changes no id that greedy search or sampling gives, and the ids, which are taken."""


def read_settings(config: Path) -> JsonValue | None:
    """Return the settings that lie beside a `config.json`; None where there are none. Raises SpecError E805."""
    file = config.with_name(GENERATION)
    return read_json(file) if config.name == "config.json" and file.is_file() else None


def with_ids(given: JsonValue, settings: JsonValue | None) -> JsonValue:
    """The configuration with the ids that begin and end a text as its settings of generation say them.

    transformers goes by the settings for the end and for where a decoder starts. The first id of a text is that of the
    configuration unless it says none.
    """
    members, found = dict(given.members), {} if settings is None else settings.members
    for name in ("eos_token_id", "decoder_start_token_id", "bos_token_id"):
        said = members.get(name)
        if name == "bos_token_id" and said is not None and said.value is not None:
            continue
        if name in found and found[name].value is not None:
            members[name] = found[name]
    return replace(given, members=members)


def check_settings(settings: JsonValue) -> None:
    """Raise SpecError E803 for a setting that is no number, or not true or false, where it must be."""
    for name, one in settings.members.items():
        if one.value is None or name == "early_stopping" or name not in _USUAL | _SAMPLING:
            continue
        usual = (_USUAL | _SAMPLING)[name]
        is_flag = isinstance(usual, bool)
        if isinstance(one.value, bool) is not is_flag or not isinstance(one.value, int | float):
            one.refuse("expected true or false" if is_flag else "expected a number")
        if type(usual) is int and type(one.value) is not int:
            one.refuse("expected a whole number")


def check_end(settings: JsonValue, decode: Decode | None) -> None:
    """Raise SpecError E803 for ends of a text that a spec does not take: no id of its vocabulary is among them."""
    ends = settings.members.get("eos_token_id")
    if ends is not None and ends.value is not None and decode is not None and not decode.end:
        ends.refuse("the vocabulary has no such id", "compare `vocab_size` in config.json, or write null for no end")


def endless(config: JsonValue, decode: Decode | None) -> Iterator[str]:
    """A line where a configuration names ends of a text of which none is an id of the vocabulary."""
    ends = config.members.get("eos_token_id")
    if ends is not None and ends.value not in (None, []) and decode is not None and not decode.end:
        yield f"not taken: `eos_token_id` {json.dumps(ends.value)}, beyond the vocabulary; `decode` has no end"


def untaken(settings: JsonValue, decode: Decode | None) -> tuple[str, ...]:
    """What changes the ids that are generated, and no spec says: a line for each way to say it here.

    Args:
        settings: those of a file of their own, of which every unknown one is told, or of a configuration.
        decode: of the spec; without it nothing is generated.
    """
    if decode is None:
        return ()
    changing = dict(_changing(settings, decode))
    lines = (
        (_OPTIONS, "`archspec generate` takes options for them"),
        (_BANS, "`decode: {ban: [ID, ...]}` bans single ids"),
        (changing.keys() - _OPTIONS - _BANS, "`archspec generate` has no such option"),
    )
    told = (([said for name, said in changing.items() if name in names], where) for names, where in lines)
    return tuple(f"not taken: {', '.join(found)}; {where}" for found, where in told if found)


def _changing(settings: JsonValue, decode: Decode) -> Iterator[tuple[str, str]]:
    """The settings that change something, each with its value as it is shown."""
    sampled = settings.members.get("do_sample")
    usual = _USUAL | (_SAMPLING if sampled is not None and sampled.value is True else {})
    for name, one in settings.members.items():
        is_known = name in usual or name in _ELSEWHERE
        is_idle = name in _WITHOUT_EFFECT or (name in _SAMPLING and name not in usual)
        if is_idle or not (is_known or settings.name == GENERATION):
            continue
        if one.value in (None, [], {}, usual.get(name)) or _is_banned(one.value, decode.ban):
            continue
        text = json.dumps(one.value)
        yield name, f"`{name}` {text if len(text) <= 40 else text[:40] + '...'}"


def _is_banned(value: Any, ban: tuple[int, ...]) -> bool:
    """Whether a list of ids, or of words of one id, is banned by the spec already."""
    found = _single(value) if isinstance(value, list) else []
    return bool(found) and len(found) == len(value) and set(found) <= set(ban)


def _single(value: list[Any] | None) -> list[Any]:
    """The ids of a list, alone or as words of one id."""
    words = [one if isinstance(one, list) else [one] for one in value or ()]
    return [word[0] for word in words if len(word) == 1]


def write_settings(
    folder: Path, decode: Decode | None, start: str, config: Mapping[str, Any], files: Iterable[Path]
) -> tuple[str, ...]:
    """Write the settings of a spec beside its configuration: the ids of its `decode`, over what is said elsewhere.

    Args:
        folder: where the configuration is.
        decode: of the spec; without it nothing is written.
        start: the key of the id that begins a text.
        config: the configuration, whose ids are taken where there are no settings.
        files: of which the first of the name gives its settings, as it is but for ids that differ.

    Returns:
        the name of the file; nothing where none was written.
    """
    if decode is None:
        return ()
    found = next((file for file in files if file.name == GENERATION and file.is_file()), None)
    kept = {name: config[name] for name in _IDS if config.get(name) is not None}
    kept = kept if found is None else json.loads(found.read_bytes())
    made = kept | dict(_said(decode, kept, start))
    text = json.dumps(made, indent=2) + "\n"
    (folder / GENERATION).write_bytes(found.read_bytes() if found is not None and made == kept else text.encode())
    return (GENERATION,)


def _said(decode: Decode, kept: Mapping[str, Any], start: str) -> Iterator[tuple[str, Any]]:
    """What the spec says other than the settings that are kept."""
    ends = kept.get("eos_token_id")
    if set(ends if isinstance(ends, list) else [ends]) != set(decode.end or [None]):
        yield "eos_token_id", decode.end[0] if len(decode.end) == 1 else list(decode.end) or None
    if decode.start is not None:
        yield start, decode.start
    known = [id for name in sorted(_BANS) for id in _single(kept.get(name))]
    if more := [id for id in decode.ban if id not in known]:
        yield "suppress_tokens", [*(kept.get("suppress_tokens") or []), *more]
