"""What is offered: whatever a shipped spec writes somewhere is offered there, and nothing that a check would refuse."""

from __future__ import annotations

import re
from random import Random

import pytest

from archspec.diagnostics import Source
from archspec.editing import Document, Lines, completion
from archspec.editing.names import NameOf
from archspec.editing.slots import TreeSlot
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import TextNode
from tests.editor.documents import DECODER, document, place, shipped

SPECS = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w+)*")
_NAMED = ("constants", "dims", "inputs", "graph", "fields", "blocks", "kinds", "sizes")
"""Sections whose keys are new names, which nothing could offer."""


def labels(text: str, before: str, number: int = 0) -> list[str]:
    """What is offered where `|` stands in a part of a text, which takes the place of what is around it."""
    return [one.label for one in document(text).completions(place(text, before, number))]


def words(opened: Document) -> list[tuple[int, str]]:
    """The words of a spec that could be offered, with where they start."""
    names = opened.read.names
    return [found for slot in names.slots for found in _of_slot(slot, str(opened.path))]


def _of_slot(slot: TreeSlot, file: str) -> list[tuple[int, str]]:
    found = []
    if slot.trail[:1] == ("weights",) or slot.trail[:1] in (("name",), ("archspec",)) or "about" in slot.trail:
        return []
    if (
        slot.key is not None
        and slot.key.span.source.name == file
        and not (len(slot.trail) > 1 and slot.trail[-2] in _NAMED)
    ):
        found.append((slot.key.span.start, slot.key.value))
    is_text = isinstance(slot.node, TextNode) and slot.node.span.source.name == file
    # Letters of a pattern are no names, and the axes of a block's inputs are defined where they stand.
    if is_text and slot.trail[-1] != "pattern" and not (slot.trail[:1] == ("blocks",) and "inputs" in slot.trail):
        found += [(slot.node.span.start + one.start(), one.group()) for one in _WORD.finditer(slot.node.span.text)]
    return found


def missed(spec: str, count: int) -> tuple[int, list[str]]:
    """How many words of a spec were taken out, and those that were then not offered."""
    path, text = shipped(spec)
    chance, wrong, tried = Random(spec), [], 0
    opened = document(text, path.name, folder=path.parent)
    # Parameters and layers are offered as the last check found them.
    assert [one for one in opened.findings() if one.severity == "error"] == []
    every = words(opened)
    for start, word in chance.sample(every, min(count, len(every))):
        for kept in {0, len(word) // 2}:
            opened.change(text[:start] + word[:kept] + text[start + len(word) :])
            offered = [one.label for one in opened.completions(Lines(opened.read.now.source).place(start + kept))]
            tried += 1
            wrong += [] if word in offered else [f"{spec}: {word!r} in {text[start - 20 : start + 20]!r}"]
        opened.change(text)
        assert opened.read.names is not None
    return tried, wrong


def test_words_of_some_specs_are_offered_where_they_stand() -> None:
    found = [missed(spec, 6) for spec in SPECS[::6]]
    assert sum(tried for tried, _ in found) > 80
    assert [one for _, wrong in found for one in wrong] == []


@pytest.mark.slow
@pytest.mark.long
def test_words_of_every_spec_are_offered_where_they_stand() -> None:
    found = [missed(spec, 25) for spec in SPECS]
    assert sum(tried for tried, _ in found) > 2000
    assert [one for _, wrong in found for one in wrong] == []


@pytest.mark.parametrize(
    ("old", "new", "offered", "absent"),
    [
        ("mask: causal", "mask: |", {"causal", "all", "key_valid", "last"}, {"ids", "d_model", "relu"}),
        ("mask: causal", "mask: last(|)", {"d_model", "length"}, {"causal"}),
        ("residual: pre", "residual: |", {"pre", "post", "sandwich"}, {"true", "ids", "d_model"}),
        ("final_norm: true", "final_norm: |", {"true", "false", "layer_norm", "none"}, {"d_model"}),
        ("dim: d_model", "dim: 4*|", {"d_model", "heads", "sqrt"}, {"ids", "states", "layer_norm"}),
        ("input: source", "input: |", {"source", "ids", "logits"}, {"states", "d_model"}),
        ("tie: source.table", "tie: |", {"source.table"}, {"d_model"}),
        ("block: decoder", "block: |", {"decoder", "encoder", "linear"}, {"causal"}),
        ("    layers: 2\n", "    |\n", {"layers", "kinds", "share"}, {"residual", "block", "vocab"}),
        ("activation: relu}", "activation: relu, |}", {"gated", "dropout", "experts"}, {"hidden", "mask"}),
        ("  - causal: {output: logits, input: ids}", "  - |", {"causal", "ignores", "within"}, {"ids"}),
        ("input: ids}\n", "input: ids, |}\n", {"axis", "at"}, {"output", "mask"}),
        ("input: ids}\n", "input: |}\n", {"ids", "states.layers.0"}, {"d_model"}),
        ("dims:\n", "|\ndims:\n", {"weights", "blocks", "counts"}, {"graph", "block"}),
        ("  ids: int64[batch, length] < vocab", "  ids: |", {"int64", "bool", "float"}, {"batch", "type"}),
        ("  ids: int64[batch, length] < vocab", "  ids: int64[batch, |", {"length", "vocab"}, {"int64"}),
        ("defaults: {norm: layer_norm}", "defaults: {norm: |", {"layer_norm", "rms_norm"}, {"d_model"}),
        (
            "  logits: {block: lm_head, input: states, tie: source.table}",
            "  logits: {reuse: |}",
            {"states", "source"},
            {"ids"},
        ),
        ("hidden: 4*d_model", "hidden: 4*|", {"d_model", "heads"}, {"hidden", "ids"}),
    ],
)
def test_what_is_offered(old: str, new: str, offered: set[str], absent: set[str]) -> None:
    assert old in DECODER
    marked = DECODER.replace(old, new)
    text = marked.replace("|", "")
    opened = document()
    opened.findings()
    opened.change(text)
    where = Lines(Source("", text)).place(marked.index("|"))
    found = {one.label for one in opened.completions(where)}
    assert offered - found == set()
    assert absent & found == set()


@pytest.mark.parametrize(
    ("before", "label", "changed"),
    [
        ("resid|ual: pre", "residual", "    residual: pre"),
        ("mask: cau|sal", "last", "mask: last("),
        ("ids: in|t64[", "int32", "ids: int32[batch"),
        ("activation: re|lu", "gelu", "activation: gelu}"),
    ],
)
def test_signs_that_follow_are_not_written_twice(before: str, label: str, changed: str) -> None:
    text = DECODER
    opened = document(text)
    lines = opened.read.lines
    found = next(one for one in opened.completions(place(text, before)) if one.label == label)
    start, end = lines.offset(found.extent.start), lines.offset(found.extent.end)
    assert changed in text[:start] + found.text + text[end:]


def test_a_broken_line_elsewhere_does_not_end_it() -> None:
    text = DECODER.replace("heads: 4,", "heads: 4").replace("constants: {", "constants: {{")
    found = labels(text, "mask: |causal")
    assert {"causal", "all"} <= set(found)


def test_files_are_offered_for_extends(tmp_path: object) -> None:
    text = "archspec: 1\nextends: \n"
    found = labels(text, "extends: |\n")
    assert {"gpt2", "llama-2-7b"} <= set(found)


def test_arguments_of_a_block_of_the_file_are_offered() -> None:
    _, text = shipped("gated-attention")
    changed = text.replace("hidden: d_gate, key: d_key, ", "key: d_key, ")
    found = labels(changed, "x: source, |key")
    assert "hidden" in found
    assert "vocab" not in found
    assert NameOf(("body", "gated_attention"), "hidden") in document(text).read.names.definitions


def test_a_large_broken_file_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DECODER.replace("dims:", "dims: {") + "# comment\n" * 20_000
    opened, read, seen = document(text), completion.read, []
    monkeypatch.setattr(completion, "read", lambda source: seen.append(len(source.text)) or read(source))
    opened.completions(place(text, "mask: |causal"))
    assert 0 < sum(seen) < 500_000


@pytest.mark.parametrize(
    "text", ["", "\n", "a", "{", "[", "- ", ": ", "archspec: 1\n", "\t", "a: b: c", "a: 'b", "😀", "x\r\ny: ["]
)
def test_nothing_raises(text: str) -> None:
    opened = document(text)
    lines = Lines(Source("", text))
    for offset in range(len(text) + 1):
        opened.completions(lines.place(offset))


@pytest.mark.parametrize(
    ("mask", "offered", "other"),
    [
        ("prefix(heads - (hidden - ", "d_model", "causal"),
        ("prefix((hidden - heads) % ", "d_model", "causal"),
        ("causal & (key_valid(ids > 0) | ", "causal", "d_model"),
        ("(", "causal", "d_model"),
    ],
)
def test_brackets_of_a_mask_hold_numbers_or_masks(mask: str, offered: str, other: str) -> None:
    start = DECODER.index("mask: causal}") + len("mask: ")
    text = f'{DECODER[:start]}"{mask}"{DECODER[start + len("causal") :]}'
    opened = document(DECODER)
    opened.findings()
    opened.change(text)
    found = {one.label for one in opened.completions(Lines(Source("", text)).place(start + 1 + len(mask)))}
    assert offered in found and other not in found


def test_a_size_may_stand_for_a_list_of_sizes() -> None:
    path, text = shipped("vit-b16")
    found = {one.label for one in document(text, path.name).completions(place(text, "patch: |patch"))}
    assert {"patch", "d_model"} <= found
