"""Edits of a spec's text, as a slipping hand or a bad merge makes them. Each takes the text and a source of chance."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

TextEdit = Callable[[str, Random], str]

_TOKEN = re.compile(r"[\w.]+|[^\w\s]")
_VALUE = re.compile(r"(?<=: )[^\s{}\[\],#][^{}\[\],#\n]*|(?<=\[)[^{}\[\],#\n]+")
_KEY = re.compile(r"[\w.-]+(?=:(?:\s|$))", re.MULTILINE)
_NUMBER = re.compile(r"\d+")

PIECES = (
    "{", "}", "[", "]", "(", ")", ",", ":", ": ", "- ", "? ", "&a ", "*a", "!t ", "<<: ", "|", ">", "'", '"', "#",
    '\n', '\n  ', '\t', " ", "%", "@", "`", '---\n', '...\n', "~", "null", '\\', '\x85', '\u2028', '\r', '\xe9',
    '\x00', '\x1b[2J', '\u202e', '\ufeff', '\u65e5\u672c', '\U0001d4b3', 'e\u0301', '\xa0', '\U0001f600', "=", "==",
    "<", "&", " & ", " | ", "/", "//", "*", "-", "+", ".", "..", "not ", "0", "9",
)  # fmt: skip
VALUES = (
    "0", "1", "-1", "2", "3", "7", "0.5", "-0.0", "1e-6", "1e300", "1e-300", "1e999", "10000000000000000000000",
    "999999999999999999999999999999999999999", "10**12", "1000000000000", "2147483648", "010", "0x10", "1_000",
    "1:30", ".5", "5.", "inf", "nan", "true", "false", "none", "null", "~", "yes", '""', "''", "[]", "{}", "[1]",
    "{a: 1}", "[[]]", "{kind: none}", "x", "layer", "batch", "length", "vocab", "d_model", "heads", "all", "causal",
    "last(3)", "within(2)", "last(0)", "last(-1)", "last(1/2)", "key_valid(valid)", "key_valid(ids)",
    "causal | prefix(3)", "prefix(ids)", "same_segment(ids)", "causal & causal", "states", "states.0",
    "states.layers.1", "states.layers.99999999999", "source.table", "logits.1", "ids", "valid", "1/0", "sqrt(2)",
    "sqrt(-1)", "d_model/7", "d_model%0", "batch - batch", "batch/batch", "1/(batch-1)", "-d_model", "batch*batch",
    "length//2", "(length+1)//2", "length%3", "sqrt(length)", "((((1))))", "1-1", "4*4*4*4*4*4*4*4*4",
    "float[batch]", "int64[length] < 0", "bool[]", "float[", "float", '"float[batch, length]"', '"int64[batch, 0]"',
    "relu", "gelu", "layer_norm", "rms_norm", "batch_norm", "group_norm", "rotary", "alibi", "learned", "sinusoidal",
    "pre", "post", "parallel", "sandwich", "bare", "mean", "last", "at", "same", "circular", "size", "mask", "norm",
    "b c h w -> b (h w) c", "b n d -> b d n", "b n d -> d", "not valid", "ids != 0", "ids < 5 & valid", "x + o",
    "../x.yaml", "transformer-base", "gpt2", 'e\u0301', '\U0001f600', '\\', "%", "<<", "*a", "&a 1", "!!int 1",
    "a, b",
)  # fmt: skip


def delete_characters(text: str, chance: Random) -> str:
    """A few characters go."""
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.choice((1, 1, 1, 2, 3, 8, 40)) :]


def insert_piece(text: str, chance: Random) -> str:
    """A few characters come."""
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(PIECES) + text[at:]


def swap_tokens(text: str, chance: Random) -> str:
    """Two words or signs change places."""
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) < 2:
        return text
    first, second = sorted(chance.sample(tokens, 2), key=lambda found: found.start())
    between = text[first.end() : second.start()]
    return text[: first.start()] + second.group() + between + first.group() + text[second.end() :]


def repeat_line(text: str, chance: Random) -> str:
    """A line, or some, stand a second time, there or elsewhere."""
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    block = lines[start : start + chance.choice((1, 1, 2, 5))]
    to = chance.choice((start, chance.randrange(len(lines) + 1)))
    return "\n".join([*lines[:to], *block, *lines[to:]])


def remove_line(text: str, chance: Random) -> str:
    """A line, or some, go."""
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    return "\n".join([*lines[:start], *lines[start + chance.choice((1, 1, 2, 6)) :]])


def indent_line(text: str, chance: Random) -> str:
    """A line, or some, move to the right or to the left."""
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    by = chance.choice((-4, -2, -1, 1, 2, 4))
    for number in range(start, min(start + chance.choice((1, 1, 3)), len(lines))):
        lines[number] = " " * by + lines[number] if by > 0 else lines[number][-by:]
    return "\n".join(lines)


def move_lines(text: str, chance: Random) -> str:
    """A copy of some lines stands deeper, under another line."""
    lines = text.split("\n")
    start, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    deeper = " " * chance.choice((2, 4))
    block = [deeper + line for line in lines[start : start + chance.randrange(1, 8)]]
    return "\n".join([*lines[: to + 1], *block, *lines[to + 1 :]])


def replace_value(text: str, chance: Random) -> str:
    """A value becomes another one."""
    return _replaced(text, _VALUE, chance, chance.choice(VALUES))


def replace_number(text: str, chance: Random) -> str:
    """A number becomes a huge one, nothing, or one beside it."""
    found = _one(text, _NUMBER, chance)
    if found is None:
        return text
    near = str(max(int(found.group()[:30]) + chance.choice((-1, 1)), 0))
    new = chance.choice((near, "0", "1" + "0" * chance.randrange(1, 45), str(chance.randrange(1, 100)), "-" + near))
    return text[: found.start()] + new + text[found.end() :]


def copy_value(text: str, chance: Random) -> str:
    """A value becomes one that stands elsewhere."""
    other = _one(text, _VALUE, chance)
    return text if other is None else _replaced(text, _VALUE, chance, other.group().strip())


def rename_key(text: str, chance: Random) -> str:
    """A key becomes another key of the file, or a misspelt one."""
    found, other = _one(text, _KEY, chance), _one(text, _KEY, chance)
    if found is None or other is None:
        return text
    word = found.group()
    cut = chance.randrange(len(word))
    new = chance.choice((other.group(), word[:cut] + word[cut + 1 :], word + "s", word.upper(), chance.choice(VALUES)))
    return text[: found.start()] + new + text[found.end() :]


def cut_tail(text: str, chance: Random) -> str:
    """The file ends early, or a section is gone."""
    if chance.random() < 0.5:
        return text[: chance.randrange(len(text) + 1)]
    sections = re.split(r"(?m)^(?=\w)", text)
    del sections[chance.randrange(len(sections))]
    return "".join(sections)


def nest(text: str, chance: Random) -> str:
    """A value stands in brackets, once or very often."""
    found = _one(text, _VALUE, chance)
    if found is None:
        return text
    left, right = chance.choice((("[", "]"), ("{a: ", "}"), ("(", ")"), ("-", ""), ("sqrt(", ")"), ("1+", "")))
    often = chance.choice((1, 1, 2, 40, 300))
    return text[: found.start()] + left * often + found.group() + right * often + text[found.end() :]


def _one(text: str, pattern: re.Pattern[str], chance: Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return chance.choice(found) if found else None


def _replaced(text: str, pattern: re.Pattern[str], chance: Random, new: str) -> str:
    found = _one(text, pattern, chance)
    return text if found is None else text[: found.start()] + new + text[found.end() :]


TEXT_EDITS: tuple[TextEdit, ...] = (
    *(delete_characters, insert_piece, swap_tokens, repeat_line, remove_line, indent_line, move_lines),
    *(replace_value, replace_value, replace_number, copy_value, rename_key, cut_tail, nest),
)
