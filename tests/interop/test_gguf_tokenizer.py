"""The tokenizer of a GGUF file is written as Hugging Face stores one, and gives the same ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import pytest

from archspec.diagnostics import SpecError
from archspec.interop.gguf.tokenizer import _LLAMA3, _QWEN2, write_tokenizer

tokenizers = pytest.importorskip("tokenizers")

TEXTS = (
    "The quick brown fox, jumps over 13 lazy dogs.",
    "it's  don't   WE'LL\n\n  x = 2024;\tü ß 漢字 🙂",
    "<|start|>user\nHow many? 1234567<|end|>",
    "",
    " leading and trailing ",
)


def trained(pieces: Any) -> Any:
    """A tokenizer that merges bytes, trained on this file, with two control tokens."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = pieces
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|start|>", "<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([Path(__file__).read_text(encoding="utf-8")], trainer)
    return made


def stored(made: Any, path: Path, pre: str, **more: bool) -> Path:
    """The tokenizer as the metadata of a GGUF file, as llama.cpp's converter writes it."""
    model = json.loads(made.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    control = {"<|start|>", "<|end|>"}
    writer.add_token_types([gguf.TokenType.CONTROL if one in control else gguf.TokenType.NORMAL for one in tokens])
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in model["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template("{{ messages }}")
    for name, value in more.items():
        writer.add_bool(f"tokenizer.ggml.{name}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read(folder: Path) -> Any:
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def ids(made: Any, texts: Sequence[str] = TEXTS) -> list[list[int]]:
    return [made.encode(text).ids for text in texts]


BY_BYTES = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGITS = tokenizers.pre_tokenizers.Digits(individual_digits=True)


@pytest.mark.parametrize(
    ("pre", "pieces"), [("gpt-2", BY_BYTES), ("smollm", tokenizers.pre_tokenizers.Sequence([DIGITS, BY_BYTES]))]
)
def test_ids_are_those_of_the_tokenizer_that_the_file_was_made_of(pre: str, pieces: Any, tmp_path: Path) -> None:
    wanted = trained(pieces)
    write_tokenizer(stored(wanted, tmp_path / "model.gguf", pre), tmp_path / "made")
    found = read(tmp_path / "made")
    assert ids(found) == ids(wanted)
    assert found.encode("<|end|>").ids == [1]
    for text, numbers in zip(TEXTS, ids(found), strict=True):
        assert found.decode(numbers, skip_special_tokens=False) == text
    config = json.loads((tmp_path / "made" / "tokenizer_config.json").read_text())
    assert (config["bos_token"], config["eos_token"]) == ("<|start|>", "<|end|>")
    assert config["chat_template"] == "{{ messages }}"


def test_a_file_may_ask_for_tokens_around_a_text(tmp_path: Path) -> None:
    wanted = trained(BY_BYTES)
    path = stored(wanted, tmp_path / "model.gguf", "gpt-2", add_bos_token=True, add_eos_token=True)
    write_tokenizer(path, tmp_path / "made")
    assert read(tmp_path / "made").encode("fox").ids == [0, *wanted.encode("fox").ids, 1]


def test_texts_are_cut_as_transformers_cuts_them() -> None:
    """Its converters hold the patterns of Llama 3 and Qwen 2."""
    convert = pytest.importorskip("transformers.convert_slow_tokenizer")
    assert convert.TikTokenConverter("").pattern == _LLAMA3
    source = Path(convert.__file__).read_text(encoding="utf-8")
    assert _QWEN2 in source


@pytest.mark.parametrize(("key", "value"), [("model", "llama"), ("pre", "unheard-of")])
def test_a_tokenizer_of_another_kind_is_refused(key: str, value: str, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "model.gguf"), "llama")
    for name, word in {"model": "gpt2", "pre": "gpt-2", key: value}.items():
        writer.add_string(f"tokenizer.ggml.{name}", word)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SpecError, match=f"`tokenizer.ggml.{key}` is {value}: such a tokenizer cannot be written"):
        write_tokenizer(tmp_path / "model.gguf", tmp_path / "made")
    assert not (tmp_path / "made").exists()
