"""The tokenizer of a GGUF file as Hugging Face stores one: `tokenizer.json` and `tokenizer_config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.weights.gguf.header import Value
from archspec.weights.gguf.reading import read_metadata

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _WORDS + r"|\p{N}{1,3}|" + _REST
_QWEN2 = _WORDS + r"|\p{N}|" + _REST
_SPLITS: Mapping[str, str | None] = {"gpt-2": None, "smollm": None, "llama-bpe": _LLAMA3, "qwen2": _QWEN2}
"""By `tokenizer.ggml.pre`, the pieces that text is cut into before merges; None for those of GPT-2 themselves.

Source: llama.cpp, src/llama-vocab.cpp.
"""
_CONTROL, _OWN = 3, 4
"""Types of tokens that are found in a text as they stand: those that are no text, and those that are."""
_NAMED = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"}


def write_tokenizer(path: Path, folder: Path) -> None:
    """Write the tokenizer of a file, with its chat template if it has one. Requires the package tokenizers.

    Args:
        path: a GGUF file whose tokens are merged from bytes (`tokenizer.ggml.model` is `gpt2`).
        folder: where the files go; it is made where it is not there.

    Raises:
        SpecError: E807 for another kind of tokenizer, or a way to split text that is not known here, and as
            `read_metadata` does.
    """
    metadata = read_metadata(path)
    made, config = _tokenizer(metadata), _configuration(metadata)
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _tokenizer(metadata: Mapping[str, Value]) -> Any:
    """The object of the package tokenizers."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    _said(metadata, "model", ("gpt2",))
    split = _said(metadata, "pre", tuple(_SPLITS))
    tokens, merges = _list(metadata, "tokens"), _list(metadata, "merges")
    pairs = [(left, right) for left, _, right in (str(one).partition(" ") for one in merges)]
    numbers = {str(token): number for number, token in enumerate(tokens)}
    # Llama 3 takes a piece that is a token as it is, though no merges lead to it.
    model = models.BPE(vocab=numbers, merges=pairs, ignore_merges=split == "llama-bpe")
    made = Tokenizer(model)
    if split == "qwen2":
        made.normalizer = normalizers.NFC()
    made.pre_tokenizer = _pieces(split)
    made.decoder = decoders.ByteLevel()
    kinds = zip(tokens, _list(metadata, "token_type"), strict=False)
    found = [(str(token), kind) for token, kind in kinds if kind in (_CONTROL, _OWN)]
    made.add_tokens([AddedToken(token, normalized=False, special=kind == _CONTROL) for token, kind in found])
    _put_around(made, metadata)
    return made


def _pieces(split: str) -> Any:
    """How a text is cut into pieces, and these into bytes."""
    from tokenizers import Regex, pre_tokenizers

    pattern = _SPLITS[split]
    if pattern is not None:
        first = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        return pre_tokenizers.Sequence([first, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(True), by_bytes]) if split == "smollm" else by_bytes


def _put_around(made: Any, metadata: Mapping[str, Value]) -> None:
    """The tokens that are put before and behind every text."""
    from tokenizers import processors

    first, last = (_around(metadata, one) for one in ("bos", "eos"))
    known = [token for token in (first, last) if token is not None]
    if known:
        text = " ".join([*([first] if first else []), "$A", *([last] if last else [])])
        special = [(token, made.token_to_id(token)) for token in known]
        made.post_processor = processors.TemplateProcessing(single=text, special_tokens=special)


def _around(metadata: Mapping[str, Value], which: str) -> str | None:
    """The token before or behind a text, where the file asks for it."""
    # llama.cpp puts one before texts of Llama 3 where the file does not say.
    usual = which == "bos" and metadata.get("tokenizer.ggml.pre") == "llama-bpe"
    return _token(metadata, which) if metadata.get(f"tokenizer.ggml.add_{which}_token", usual) else None


def _token(metadata: Mapping[str, Value], which: str) -> str | None:
    """A token that the file names by its id; None where it does not."""
    number = metadata.get(f"tokenizer.ggml.{which}_token_id")
    tokens = _list(metadata, "tokens")
    return str(tokens[number]) if isinstance(number, int) and 0 <= number < len(tokens) else None


def _configuration(metadata: Mapping[str, Value]) -> dict[str, Any]:
    """What `tokenizer_config.json` says: the class, the named tokens, and the chat template."""
    named = {theirs: _token(metadata, ours) for ours, theirs in _NAMED.items()}
    config: dict[str, Any] = {name: token for name, token in named.items() if token is not None}
    template = metadata.get("tokenizer.chat_template")
    config |= {} if template is None else {"chat_template": template}
    return {**config, "clean_up_tokenization_spaces": False, "tokenizer_class": "PreTrainedTokenizerFast"}


def _said(metadata: Mapping[str, Value], key: str, known: tuple[str, ...]) -> str:
    """One of a few words. Raises SpecError E807 for another."""
    value = metadata.get(f"tokenizer.ggml.{key}")
    if value not in known:
        help = f"supported: {', '.join(f'`{one}`' for one in known)}; get `tokenizer.json` from the model's publisher"
        fail("E807", f"`tokenizer.ggml.{key}` is {value}: such a tokenizer cannot be written", None, help=help)
    return str(value)


def _list(metadata: Mapping[str, Value], key: str) -> tuple[Value, ...]:
    """A list of the tokenizer; empty where there is none."""
    found = metadata.get(f"tokenizer.ggml.{key}", ())
    return found if isinstance(found, tuple) else ()
