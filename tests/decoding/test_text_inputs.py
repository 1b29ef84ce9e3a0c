"""The source of an encoder-decoder as text: each row gives what its ids alone give, and padding is proved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.decoding import text_decoder
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding.running import compiled
from tests.decoding.test_text import BANNED, VOCAB
from tests.decoding.words import END, START, around, by_bytes, saved

SIZES = {"layers": "1", "d_model": "16", "heads": "2", "head_dim": "8", "d_ff": "24", "vocab": str(VOCAB)}
TEXTS = ["the cat", "é", "the 日本 the"]
OPTIONS: dict[str, Any] = {"max_new": 6, "min_new": 2}


def spec_of(**more: str) -> Spec:
    decode = {"decode.start": str(START), "decode.end": str(END), "decode.ban": BANNED}
    return load("t5-small", set={**SIZES, **decode, **more})


def test_texts_of_other_lengths_are_padded_and_give_what_they_give_alone(tmp_path: Path) -> None:
    """The end that T5's tokenizer puts behind every text is part of the source."""
    library, spec = around(by_bytes(), "$A <end>"), spec_of()
    folder, module = saved(tmp_path, library), compiled(spec)
    made = text_decoder(spec, module, tokenizer=folder)
    rows = made.generate(None, inputs={"src_ids": TEXTS}, **OPTIONS)
    told = [""] * len(TEXTS)
    for step in made.stream(None, inputs={"src_ids": TEXTS}, **OPTIONS):
        for row, piece in zip(step.step.rows, step.texts, strict=True):
            told[row] += piece
    assert [row.text for row in rows] == told
    for text, row in zip(TEXTS, rows, strict=True):
        ids = library.encode(text).ids
        assert ids[-1] == END
        given = {"src_ids": [ids], "src_valid": [[True] * len(ids)]}
        (alone,) = archspec.generate(spec, module=module, inputs=given, **OPTIONS)
        assert row.ids == alone.ids and row.prompt == (START,)
    again = archspec.generate(spec, module=module, inputs={"src_ids": TEXTS[0]}, tokenizer=folder, **OPTIONS)
    assert again == rows[:1]


@pytest.mark.parametrize(
    ("more", "inputs", "message"),
    [
        (
            {"graph.memory.attention.mask": "all"},
            {"src_ids": TEXTS},
            "E745.*the padding is not proved to be ignored",
        ),
        ({}, {"src_ids": TEXTS[:2], "src_valid": [[True] * 3] * 2}, "E745.*`src_valid` is given"),
        ({}, {"src_ids": ["the", ""]}, "E713.*a text for `src_ids` is empty"),
        ({}, {"src_valid": ["the"]}, "E713.*`src_valid` takes no text"),
        ({}, {"src_idz": ["the"]}, "E711"),
    ],
)
def test_texts_that_are_refused(more: dict[str, str], inputs: dict[str, object], message: str, tmp_path: Path) -> None:
    spec = spec_of(**more)
    folder = saved(tmp_path, by_bytes())
    with pytest.raises(SpecError, match=f"(?s){message}"):
        archspec.generate(spec, module=compiled(spec), inputs=inputs, tokenizer=folder, max_new=2, unproved=True)


def test_text_without_a_tokenizer() -> None:
    spec = spec_of()
    with pytest.raises(SpecError, match="E760"):
        archspec.generate(spec, module=compiled(spec), inputs={"src_ids": TEXTS}, max_new=2)
