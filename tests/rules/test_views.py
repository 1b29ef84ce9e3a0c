"""Guards pass through predicates that are views of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.spec.rules import Rule

TEXT = """archspec: 1
name: t
dims: {{batch: [1, 2, 4], length: {{min: 4, typical: 8, max: 16, multiple: 4}}}}
inputs: {{x: "float[batch, length, 8]", valid: "bool[batch, length]"}}
graph:
  {value}
  {mask}
  a: {{block: attend, query: w, key: w, value: w, mask: key_valid(seen)}}
  {back}
outputs: {{y: "float[batch, {length}, 8]"}}
rules: [{{ignores: {{output: y, input: x, where: not valid{at}}}}}]
"""
SPLIT = "w: {block: rearrange, input: x, pattern: '%s d -> %s d', sizes: {k: 4}}"
SEEN = "seen: {block: rearrange, input: valid, pattern: '%s -> %s', sizes: {k: 4}}"
BACK = "y: {block: rearrange, input: a, pattern: '%s d -> %s d', sizes: {%s}}"


@pytest.mark.parametrize(
    ("value", "mask", "back", "length", "wanted"),
    [
        (
            SPLIT % ("b (n k)", "(b n) k"),
            SEEN % ("b (n k)", "(b n) k"),
            ("(b n) k", "b (n k)", "n: length//4"),
            "length",
            "proved",
        ),
        (
            SPLIT % ("b (n k)", "(b k) n"),
            SEEN % ("b (n k)", "(b k) n"),
            ("(b k) n", "b (n k)", "k: 4"),
            "length",
            "proved",
        ),
        (
            SPLIT % ("b (n k)", "(b k) n"),
            SEEN % ("b (k n)", "(b k) n"),
            ("(b k) n", "b (n k)", "k: 4"),
            "length",
            "violated",
        ),
    ],
)
def test_a_rearranged_predicate_guards_what_it_was_made_of(
    value: str, mask: str, back: tuple[str, str, str], length: str, wanted: str, tmp_path: Path
) -> None:
    text = TEXT.format(value=value, mask=mask, back=BACK % back, length=length, at=", at: valid")
    assert verdicts(tmp_path, text) == [wanted]


SLICED = """archspec: 1
name: t
dims: {{batch: [1, 2, 4], length: [4, 8, 16]}}
inputs: {{x: "float[batch, length, 8]", valid: "bool[batch, length]", q: "float[batch, 3, 8]"}}
graph:
  w: {{block: slice, input: x, axis: 1, start: 1}}
  seen: {{block: slice, input: valid, axis: 1, {stretch}}}
  y: {{block: attend, query: q, key: w, value: w, mask: key_valid(seen)}}
outputs: {{y: "float[batch, 3, 8]"}}
rules: [{{ignores: {{output: y, input: x, where: not valid}}}}]
"""


@pytest.mark.parametrize(("stretch", "wanted"), [("start: 1", "proved"), ("stop: length - 1", "violated")])
def test_a_sliced_predicate_guards_from_its_start(stretch: str, wanted: str, tmp_path: Path) -> None:
    assert verdicts(tmp_path, SLICED.format(stretch=stretch)) == [wanted]


def verdicts(folder: Path, text: str) -> list[str]:
    (folder / "spec.yaml").write_text(text, encoding="utf-8")
    return [verdict.status for verdict in check(folder / "spec.yaml").verdicts if isinstance(verdict.rule, Rule)]


PADDED = """archspec: 1
name: padded
dims: {{batch: [1, 2, 4], rows: [1, 3, 6], columns: [1, 2, 6]}}
inputs: {{pixels: "float[batch, 3, 4*rows, 4*columns]", valid: "bool[batch, rows, columns]"}}
defaults: {{norm: layer_norm}}
graph:
  patches: {{block: patch_embedding, input: pixels, patch: 4, dim: 8}}
  cls: {{block: learned, shape: [batch, 1, 8]}}
  tokens: {{block: concat, inputs: [cls, patches], axis: 1}}
  front: {{block: constant, shape: [batch, 1], value: {front}}}
  flat: {{block: rearrange, input: valid, pattern: b h w -> b (h w)}}
  seen: {{block: concat, inputs: [front, flat], axis: 1}}
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: key_valid(seen)}}
    feed_forward: {{hidden: 8, activation: gelu}}
  pooled: {{block: pool, input: states, kind: first}}
  mean: {{block: pool, input: states, kind: mean, valid: seen}}
outputs: {{pooled: "float[batch, 8]", mean: "float[batch, 8]"}}
rules:
  - ignores: {{output: pooled, input: patches, where: not flat}}
  - ignores: {{output: mean, input: patches, where: not flat}}
  - ignores: {{output: pooled, input: tokens, where: not seen}}
  - ignores: {{output: mean, input: tokens, where: not seen}}
  - ignores: {{output: states, input: tokens, where: not seen, at: seen}}
  - ignores: {{output: pooled, input: patches, where: flat}}
"""


@pytest.mark.parametrize(("front", "of_token"), [("true", "proved"), ("false", "violated")])
def test_a_class_token_stands_in_front_of_padded_patches(front: str, of_token: str, tmp_path: Path) -> None:
    """A class token that is seen is hidden by no rule; one that is not seen is read all the same, by itself."""
    expected = ["proved", "proved", of_token, "proved", "proved", "violated"]
    assert verdicts(tmp_path, PADDED.format(front=front)) == expected
