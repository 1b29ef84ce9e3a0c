"""The resolved document reads back as the same tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source
from archspec.spec.digest import digest
from archspec.spec.printing import printed, scalar
from archspec.spec.resolved import resolved
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.reader import read

SPECS = sorted((Path(__file__).resolve().parents[2] / "specs").glob("*.yaml"))


def plain(node: Node) -> Any:
    if isinstance(node, TextNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {entry.key.value: plain(entry.value) for entry in node.entries}


def parsed(text: str) -> MapNode:
    return read(Source("written.yaml", text))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_come_back_whole(path: Path) -> None:
    spec = archspec.load(path)
    tree = resolved(spec.tree, as_written=True)
    again = plain(parsed(printed(tree)))
    assert again == {key: value for key, value in plain(spec.tree).items() if key != "extends"}


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_digest_is_that_of_what_a_bundle_holds(path: Path, reduced: bool, tmp_path: Path) -> None:
    spec = archspec.load(path, reduced=reduced)
    text = printed(resolved(spec.tree, as_written=spec.as_written))
    assert digest(parsed(text)) == spec.digest
    (tmp_path / "spec.yaml").write_text(text)
    again = archspec.check(tmp_path / "spec.yaml")
    assert again.holds
    assert again.spec.digest == spec.digest


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), min_size=1))
def test_any_text_comes_back(text: str) -> None:
    assert plain(parsed(f"key: {scalar(text)}\n")) == {"key": text}


ODD = ["yes", "~", "null", "- a", "a: b", "a #b", "*x", "{a}", "'q'", " lead", "trail ", "1:30", "\u2028", "\x85"]


@pytest.mark.parametrize("text", [*ODD, "\ufeff", "\U0001f600", "<<", "---", "...", "=", "a\u200bb"])
def test_texts_that_yaml_reads_as_something_else(text: str) -> None:
    assert plain(parsed(f"key: {scalar(text)}\n")) == {"key": text}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), min_size=1))
def test_any_text_comes_back_from_inside_brackets(text: str) -> None:
    inside = scalar(text, inside=True)
    assert plain(parsed(f"key: {{a: {inside}, b: [{inside}, c]}}\n")) == {"key": {"a": text, "b": [text, "c"]}}


STYLE = """\
archspec: 1
name: tiny
about: A decoder's fields, in short maps

constants:
  {vocab: 128256, context: 131072, d_model: 2048, heads: 32, kv_heads: 8, head_dim: 128, d_ff: 8192, layers: 16,
   base: 500000}
dims:
  length: [1, 128, context]

graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model}
  states:
    block: decoder
    attention: {heads: heads, mask: "none", positions: {kind: rotary, layout: half, base: base}}
    feed_forward: {hidden: d_ff, activation: silu, gated: true, experts: {count: 8, top_k: 2, scores: softmax}}
  logits:
    - {block: pool, input: states}
    - {block: linear, dim: 3}

outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
weights:
  huggingface:
    prefix: [model., ""]
    map:
      source.table: embed.weight
      states.layers.*:
        from: layers.*
        map:
          attention.q: {from: qkv.weight, split: 0}
"""


def test_the_style_of_the_shipped_specs() -> None:
    assert printed(parsed(STYLE)) == STYLE


def test_empty_maps_and_lists() -> None:
    assert plain(parsed(printed(parsed("a: {}\nb: []\nc: [1, {d: e}]\n")))) == {
        "a": {},
        "b": [],
        "c": ["1", {"d": "e"}],
    }


def test_a_layout_in_a_file_of_its_own_is_written_into_the_document(tmp_path: Path) -> None:
    (tmp_path / "layout.yaml").write_text("map: {source.table: wte.weight}\n")
    path = tmp_path / "spec.yaml"
    layouts = "{theirs: layout.yaml, other: none, huggingface: none}"
    path.write_text(f"archspec: 1\nextends: gpt2\nname: tiny\nweights: {layouts}\n")
    written = plain(parsed(printed(resolved(archspec.load(path).tree, as_written=True))))
    assert written["weights"]["theirs"] == {"map": {"source.table": "wte.weight"}}
    assert (written["weights"]["other"], written["weights"]["huggingface"]) == ("none", "none")
