"""Each kind of change, as it is told of one edit of a small decoder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.diff import Changes, compare_meaning
from archspec.diff.forms import text_of
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir

DECODER = """archspec: 1
name: small
constants: {vocab: 40, d_model: 16, heads: 2, layers: 3}
dims: {batch: [1, 2, 4], length: [1, 8, 32]}
inputs:
  ids: int64[batch, length] < vocab
  valid: {type: "bool[batch, length]", padding: right}
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: {kind: learned, length: 32}}
  states:
    block: decoder
    input: source
    layers: layers
    residual: pre
    final_norm: true
    attention: {heads: heads, mask: causal & key_valid(valid)}
    feed_forward: {hidden: 4*d_model, activation: gelu}
  logits: {block: lm_head, input: states, vocab: vocab}
outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
  - ignores: {output: logits, input: ids, where: not valid}
decode: {input: ids, output: logits, end: 1}
"""


def spec(folder: Path, *edits: tuple[str, str]) -> Spec:
    text = DECODER
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def changed(folder: Path, *edits: tuple[str, str]) -> Changes:
    return compare_meaning(spec(folder), spec(folder, *edits))


NAMES = ("mask: causal & key_valid(valid)", "mask: {}")
CASES = {
    "mask, narrower": [
        ("mask: causal", "mask: last(4)"),
        "field of `ids` at `logits`: global -> 10 positions",
        "mask of `states.layers.*.attention`: causal & key_valid(valid) -> last(4) & key_valid(valid), narrower",
    ],
    "mask, wider": [
        ("mask: causal & key_valid(valid)", "mask: causal & key_valid(valid) | causal & prefix(3)"),
        (
            "mask of `states.layers.*.attention`: causal & key_valid(valid) -> "
            "causal & key_valid(valid) | causal & prefix(3), wider"
        ),
    ],
    "mask, incomparable": [
        ("mask: causal & key_valid(valid)", "mask: last(3) | causal & prefix(3) & key_valid(valid)"),
        (
            "mask of `states.layers.*.attention`: causal & key_valid(valid) -> "
            "last(3) | causal & prefix(3) & key_valid(valid), neither contains the other"
        ),
    ],
    "activation": [("activation: gelu", "activation: silu"), "`states.layers.*.feed_forward`: gelu -> silu"],
    "epsilon": [
        ("norm: layer_norm", "norm: {kind: layer_norm, eps: 1e-6}"),
        "`states.final_norm` and `states.layers.*.(attention_norm feed_forward_norm)`: layer_norm `eps` 1e-05 -> 1e-06",
    ],
    "norm": [
        ("norm: layer_norm", "norm: rms_norm"),
        "11,664 -> 11,552 parameters (-112)",
        "`states.final_norm` and `states.layers.*.(attention_norm feed_forward_norm)`: layer_norm -> rms_norm",
        "`states.final_norm` and `states.layers.*.(attention_norm feed_forward_norm)`: has no bias any more",
    ],
    "hidden": [
        ("4*d_model", "2*d_model"),
        "sizes: 64 -> 32 in `states.layers.*.feed_forward.(up down)`",
    ],
    "layers": [("layers: 3", "layers: 4"), "sizes: 3 -> 4 layers in `states.layers`"],
    "frozen": [
        ("block: lm_head,", "block: lm_head, frozen: true,"),
        "`logits`: is frozen",
    ],
    "initialisation": [
        ("block: lm_head,", "block: lm_head, init: {kind: normal, std: 0.5},"),
        "`logits`: `weight` starts as normal(0.5), was truncated_normal(0.02)",
    ],
    "tie": [
        ("input: states, vocab: vocab", "input: states, tie: source.table"),
        "`logits`: `weight` is tied to `source.table`",
    ],
    "dim": [("length: [1, 8, 32]", "length: [1, 16, 24]"), "dim `length`: 1 to 32 -> 1 to 24, typical 8 -> 16"],
    "promise": [("padding: right", "padding: left"), "input `valid` padding: right -> left"],
    "default": [("padding: right", "default: true"), "input `valid` default: none -> true"],
    "decode": [("end: 1", "end: [1, 2]"), "decode `end`: 1 -> 1, 2"],
    "rule gained": [
        ("decode:", "  - sees: {output: logits, input: ids}\ndecode:"),
        "rule gained: sees(output: logits, input: ids) (violated)",
    ],
    "rule lost": [
        ("  - causal: {output: logits, input: ids}\n", ""),
        "rule lost: causal(output: logits, input: ids)",
    ],
    "rule weakened": [
        ("- causal: {output: logits, input: ids}", "- window: {output: logits, input: ids, back: 40, ahead: 1}"),
        "rule weakened: causal(output: logits, input: ids) -> window(output: logits, input: ids, back: 40, ahead: 1)",
    ],
    "rule strengthened": [
        ("- causal: {output: logits, input: ids}", "- window: {output: logits, input: ids, back: 9, ahead: 0}"),
        (
            "rule strengthened: causal(output: logits, input: ids) -> "
            "window(output: logits, input: ids, back: 9, ahead: 0) (violated)"
        ),
    ],
    "output gained": [
        ("  logits: float", "  states: float[batch, length, d_model]\n  logits: float"),
        "output `states` is new: float[batch, length, 16]",
    ],
    "inputs in another order": [
        (
            '  ids: int64[batch, length] < vocab\n  valid: {type: "bool[batch, length]", padding: right}\n',
            '  valid: {type: "bool[batch, length]", padding: right}\n  ids: int64[batch, length] < vocab\n',
        ),
        "inputs come in another order: valid, ids",
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_an_edit_is_told(case: str, tmp_path: Path) -> None:
    edit, *told = CASES[case]
    lines = [one.text for one in changed(tmp_path, edit).changes]
    assert [line for line in told if line not in lines] == [], lines


BOTH = "  both: states + source\n"
SAME = {
    "comments": [("archspec: 1", "# a comment\narchspec: 1")],
    "a value in place of a constant": [("heads: heads", "heads: 2")],
    "a default that is written": [("block: lm_head,", "block: lm_head, scale: 1,")],
    "a mask in another order": [("causal & key_valid(valid)", "key_valid(valid) & causal")],
    "a mask that says no more": [("causal & key_valid(valid)", "causal & key_valid(valid) & last(32)")],
    "a rule in other words": [
        ("- causal: {output: logits, input: ids}", "- within: {output: logits, input: ids, mask: causal}")
    ],
    "another name of the file": [("name: small", "name: other")],
    "a sum in another order": [
        (
            "  logits: {block: lm_head, input: states,",
            "  both: states + source\n  logits: {block: lm_head, input: both,",
        ),
        ("both: states + source", "both: source + states"),
    ],
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_in_other_words_is_no_change(case: str, tmp_path: Path) -> None:
    *before, edit = SAME[case]
    found = compare_meaning(spec(tmp_path, *before), spec(tmp_path, *before, edit))
    assert [one.text for one in found.changes] == []
    assert found.checkpoint.loads


PREDICATES = [
    ("key_valid(valid and ids != 0)", "key_valid(valid) & key_valid(ids != 0)"),
    ("key_valid(valid or ids != 0)", "(key_valid(ids != 0) | key_valid(valid))"),
    ("key_valid(valid and ids != 0)", "key_valid(not (ids == 0 or not valid))"),
    ("key_valid(valid and ids > 3)", "key_valid(not ids < 4 and valid)"),
    (
        "key_valid(valid) & query_valid(ids != 0 and valid)",
        "query_valid(valid) & key_valid(valid) & query_valid(ids != 0)",
    ),
]


@pytest.mark.parametrize(("one", "other"), PREDICATES)
def test_masks_that_read_the_same_in_other_words_are_the_same(one: str, other: str, tmp_path: Path) -> None:
    before, after = (spec(tmp_path, ("key_valid(valid)", mask)) for mask in (one, other))
    assert [change.text for change in compare_meaning(before, after).changes] == []


KEPT = (
    ("logits: {block", "kept: {block: pool, input: states, kind: mean, valid: valid}\n  logits: {block"),
    ("outputs:\n", 'outputs:\n  kept: "float[batch, d_model]"\n'),
    ("  - ignores: {output: logits, input: ids, where: not valid}\n", ""),
)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        # Both read one value, so that a refutation would be a guess.
        ("ids == 0", "ids < 1", "causal & key_valid(ids == 0) -> causal & key_valid(ids < 1)"),
        ("ids > 3", "ids != 3", "causal & key_valid(ids >= 4) -> causal & key_valid(ids != 3)"),
        (
            "valid",
            "valid and ids != 0",
            "key_valid(valid) -> causal & key_valid(valid) & key_valid(ids != 0), narrower",
        ),
        ("ids != 0", "valid", "key_valid(ids != 0) -> causal & key_valid(valid), neither contains the other"),
    ],
)
def test_no_more_is_said_of_a_mask_than_is_known(one: str, other: str, told: str, tmp_path: Path) -> None:
    before, after = (spec(tmp_path, *KEPT, ("key_valid(valid)", f"key_valid({mask})")) for mask in (one, other))
    (found,) = compare_meaning(before, after).changes
    assert found.kind == "mask"
    assert found.text.endswith(told)


def test_names_of_dims_that_were_exchanged_change_nothing(tmp_path: Path) -> None:
    source = shipped_specs_dir() / "transformer-base.yaml"
    path, text = tmp_path / "other.yaml", source.read_text("utf-8")
    for names in ({"src": "tgt", "tgt": "src"}, {"batch": "src", "src": "tgt", "tgt": "batch"}):
        parts = re.split(rf"\b({'|'.join(names)})\b", text)
        path.write_text("".join(names.get(part, part) for part in parts), "utf-8")
        found = compare_meaning(load(source), load(path))
        assert [one.text for one in found.changes] == []
        assert {(one.before, one.after) for one in found.renamed} == set(names.items())


def test_a_dim_in_place_of_another_is_a_change(tmp_path: Path) -> None:
    """Where only one of two inputs has it: no name is then exchanged for another."""
    first = '  valid: {type: "bool[batch, length]"'
    added = (
        ("length: [1, 8, 32]}", "length: [1, 8, 32], other: [1, 8, 32]}"),
        (first, f"  one: float[batch, other, d_model]\n  two: float[batch, other, d_model]\n{first}"),
        (
            "outputs:\n",
            (
                "  kept: {block: pool, input: one, kind: max}\n  more: {block: pool, input: two, kind: max}\n"
                "outputs:\n  kept: float[batch, d_model]\n  more: float[batch, d_model]\n"
            ),
        ),
    )
    before = spec(tmp_path, *added)
    after = spec(tmp_path, *added, ("one: float[batch, other,", "one: float[batch, length,"))
    assert "input `one`: float[batch, other, 16] -> float[batch, length, 16]" in [
        one.text for one in compare_meaning(before, after).changes
    ]


def test_tensors_of_some_layers_are_named_by_their_numbers(tmp_path: Path) -> None:
    found = changed(tmp_path, ("layers: 3", "layers: 5")).checkpoint
    assert found.missing[0] == ("states.layers.3,4.attention_norm.weight", 2)
    back = compare_meaning(spec(tmp_path, ("layers: 3", "layers: 5")), spec(tmp_path)).checkpoint
    assert back.unused[0] == ("states.layers.3,4.attention_norm.weight", 2)


def test_heads_that_divide_one_width_otherwise_are_told_by_what_they_make(tmp_path: Path) -> None:
    (told,) = [one.text for one in changed(tmp_path, ("heads: 2,", "heads: 4,")).changes]
    assert told.startswith("sizes: 2*8 -> 4*4 in `states.layers.*.attention.(q k v)`; ")
    assert "16 -> 16" not in told


def test_a_verdict_that_falls_is_told(tmp_path: Path) -> None:
    edits = (("block: decoder", "block: transformer"), ("causal & key_valid(valid)", "key_valid(valid)"))
    found = changed(tmp_path, *edits).changes
    assert "causal(output: logits, input: ids) was proved and is violated" in [one.text for one in found]


def test_a_name_that_was_exchanged_is_a_change(tmp_path: Path) -> None:
    two = (
        "  states:",
        "  one: {block: linear, input: source, dim: 16}\n  two: {block: linear, input: one, dim: 16}\n  states:",
    )
    reads = ("input: source\n", "input: two\n")
    before = spec(tmp_path, two, reads)
    after = spec(
        tmp_path,
        (
            "  states:",
            "  two: {block: linear, input: source, dim: 16}\n  one: {block: linear, input: two, dim: 16}\n  states:",
        ),
        ("input: source\n", "input: one\n"),
    )
    (found,) = compare_meaning(before, after).changes
    assert found.effect == "exchanged"
    assert "`two.weight` is what `one.weight` was" in found.text


def test_a_renamed_stack_says_what_moves(tmp_path: Path) -> None:
    found = changed(tmp_path, ("  states:", "  body:"), ("input: states", "input: body"))
    assert text_of(found) == (
        "small -> small: nothing changed in meaning\n"
        "  renamed: node `states` -> `body`\n"
        "  a checkpoint of small loads, renamed `states` -> `body`"
    )


def test_nodes_that_move_into_a_block_of_their_own_are_the_same(tmp_path: Path) -> None:
    chain = "  one: {block: linear, input: source, dim: 16}\n  two: {block: norm, input: one}\n  states:"
    before = spec(tmp_path, ("  states:", chain), ("input: source\n", "input: two\n"))
    block = (
        'blocks:\n  mixed:\n    inputs: {x: "float[b, n, d]"}\n    graph:\n'
        "      one: {block: linear, input: x, dim: d}\n      two: {block: norm, input: one}\n"
        '    outputs: {two: "float[b, n, d]"}\ngraph:\n'
    )
    after = spec(
        tmp_path,
        ("graph:\n", block),
        ("  states:", "  both: {block: mixed, x: source}\n  states:"),
        ("input: source\n", "input: both\n"),
    )
    found = compare_meaning(before, after)
    assert [one.text for one in found.changes] == []
    assert found.checkpoint.moves[:2] == (("one.weight", "both.one.weight"), ("one.bias", "both.one.bias"))


def test_a_family_of_models_in_ten_lines() -> None:
    found = text_of(compare_meaning(load("llama-2-7b"), load("mistral-7b")))
    lines = found.splitlines()
    assert len(lines) <= 10
    assert "  mask of `states.layers.*.attention`: causal -> last(4096), narrower" in lines
    assert lines[-1].startswith("  a checkpoint of llama-2-7b does not load: 5 shapes differ")
