"""Small tokenizers, made here: bytes with merges, pieces with a mark for spaces, and words with continuations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

END, START, TURN = 0, 1, 2
SPECIAL = ("<end>", "<start>", "<turn>")
MERGES = (("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "c"), ("ä", "½"), ("Ã", "©"), ("Ġ", "ð"))


def by_bytes() -> Tokenizer:
    """Byte-level merges as GPT-2 has them: 3 special tokens, 256 bytes, 7 merges; two end inside a character."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIAL, *alphabet, *(first + second for first, second in MERGES)]
    vocab = {token: id for id, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=list(MERGES)))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return _with_special(made)


def by_pieces() -> Tokenizer:
    """Pieces as Llama 2 has them: a mark for a space, bytes where there is no piece, no space at the start."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["▁", *"abcdehstu"]
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("▁", "c"), ("▁c", "a")]
    tokens = [*SPECIAL, *bytes_, *letters, *(first + second for first, second in merges)]
    vocab = {token: id for id, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _with_special(made)


def by_words() -> Tokenizer:
    """Words and their continuations as BERT has them."""
    tokens = [*SPECIAL, "[UNK]", "the", "cat", "##s", "##ness", ".", ",", "'", "s", "don", "n't"]
    made = Tokenizer(models.WordPiece({token: id for id, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=True)
    return _with_special(made)


def _with_special(made: Tokenizer) -> Tokenizer:
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return made


def around(made: Tokenizer, template: str) -> Tokenizer:
    """The tokenizer with special tokens around every text: `<start> $A`."""
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(token, made.token_to_id(token)) for token in SPECIAL]
    )
    return made


def saved(folder: Path, made: Tokenizer, config: Mapping[str, Any] | None = None) -> Path:
    """Write tokenizer.json, and tokenizer_config.json if there is something to say; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def raw(made: Tokenizer, ids: Sequence[int]) -> bytes:
    """The bytes of ids of `by_bytes`, from the table of GPT-2's alphabet, without special tokens."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    table = {chr(byte): byte for byte in kept} | {chr(256 + number): byte for number, byte in enumerate(others)}
    names = [made.id_to_token(id) for id in ids if id >= len(SPECIAL)]
    return bytes(table[letter] for name in names for letter in name)
