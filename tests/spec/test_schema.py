from __future__ import annotations

import json
import re
from typing import Any

import pytest

from archspec.blocks.registry import blocks
from archspec.diagnostics import Source
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.reader import read
from tests.editing import edited
from tests.spec.editor import SCHEMA, data_of, fits
from tests.spec.example import text_with

PATHS = sorted(shipped_specs_dir().glob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_shipped_specs_fit(path: Any) -> None:
    assert fits(data_of(read(Source(path.name, path.read_text("utf-8")))), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        "constant: {d: 8}",
        "dims: {batch: [1, 2, 4], length: [1, 6]}",
        "graph:\n  y: {block: liner, input: x, dim: d}",
        "graph:\n  y: {block: linear, input: x}",
        "graph:\n  y: {block: linear, input: x, dim: d, activation: rlu}",
        "graph:\n  y: []",
        "inputs:\n  x: {default: 0}",
        "rules:\n  - cause: {output: y, input: x}",
        "rules:\n  - causal: {output: y}",
        "counts: {params: 3}",
        "graph:\n  y: {block: encoder, input: x, layers: 2, attention: none, feed_forward: none}",
    ],
)
def test_what_the_language_refuses_does_not_fit(changes: str) -> None:
    assert fits(data_of(read(Source("spec.yaml", text_with()))), SCHEMA)
    assert not fits(data_of(read(Source("spec.yaml", text_with(changes)))), SCHEMA)


OWN = """
blocks:
  mine: {inputs: {x: "float[b, n]"}, fields: {a: size}, graph: {y: {block: other, x: x}}, outputs: {y: "float[b, n]"}}
graph:
  y: [{block: mine, x: x, a: 3}, {block: linear, dim: d}]
"""


def test_a_file_with_blocks_of_its_own_may_name_them() -> None:
    assert fits(data_of(read(Source("spec.yaml", text_with(OWN)))), SCHEMA)
    for old, new in (
        ("dim: d}", "dimm: d}"),
        ("a: size", "a: sise"),
        ("outputs: {y:", "out: {y:"),
    ):
        assert not fits(data_of(read(Source("spec.yaml", text_with(edited(OWN, (old, new)))))), SCHEMA)
    graph = OWN.partition("graph:\n")[2]
    assert not fits(data_of(read(Source("spec.yaml", text_with(f"graph:\n{graph}")))), SCHEMA)


EXTENDED = "archspec: 1\nname: mine\nextends: gpt2\n"


@pytest.mark.parametrize(
    "changes",
    [
        "graph: {states: {attention: {mask: last(4)}}}",
        "graph: {states: {block: decoder, attention: {positions: {base: 500}}}, more: x + y}",
        "graph: {more: [{block: linear, dim: 3}, {block: norm, eps: 1e-6}]}",
        "dims: {length: {max: 9}}\ninputs: {ids: {default: 0}}\ndefaults: {norm: {eps: 1e-6}}\ndecode: {end: 3}",
    ],
)
def test_a_file_that_extends_another_one_gives_what_it_changes(changes: str) -> None:
    assert fits(data_of(read(Source("spec.yaml", EXTENDED + changes + "\n"))), SCHEMA)
    alone = edited(EXTENDED, ("extends: gpt2\n", "")) + changes + "\n"
    assert not fits(data_of(read(Source("spec.yaml", alone))), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        "graph: {states: {block: decoder, atention: {mask: causal}}}",
        "graph: {states: {block: decoder, attention: {positions: {bas: 500}}}}",
        "graph: {states: {block: decoder, kinds: {local: {attention: {maks: causal}}}}}",
        "decode: {ending: 3}",
        "rules:\n  - causal: {output: logits}",
    ],
)
def test_what_it_changes_has_names_that_are_known(changes: str) -> None:
    assert not fits(data_of(read(Source("spec.yaml", EXTENDED + changes + "\n"))), SCHEMA)


BODY = """
blocks:
  mine:
    fields: {act: activation, way: norm, start: init, on: bool}
    inputs: {x: "float[b, n]"}
    graph:
      z: {block: norm, input: x, kind: way}
      y: {block: linear, input: z, dim: n, activation: act, init: start, bias: on}
    outputs: {y: "float[b, n]"}
graph:
  y: {block: mine, x: x, act: relu, way: rms_norm, start: zeros, on: true}
"""


def test_a_word_may_be_the_name_of_a_field_inside_a_block_of_ones_own() -> None:
    assert fits(data_of(read(Source("spec.yaml", text_with(BODY)))), SCHEMA)
    outside = "graph:\n  y: {block: linear, input: x, dim: d, activation: act}"
    assert not fits(data_of(read(Source("spec.yaml", text_with(outside)))), SCHEMA)
    for old, new in (
        ("dim: n,", "dmi: n,"),
        ("activation: act", "activation: [act]"),
        ("way: norm, start", "way: norms, start"),
    ):
        assert not fits(data_of(read(Source("spec.yaml", text_with(edited(BODY, (old, new)))))), SCHEMA)


@pytest.mark.parametrize("word", ["true", "false", "none", "layer_norm", "{kind: rms_norm, eps: 1e-3}"])
def test_a_norm_that_is_a_switch(word: str) -> None:
    stack = "layers: 1, residual: pre, attention: none, feed_forward: none"
    text = f"graph:\n  y: {{block: encoder, input: x, {stack}, final_norm: {word}}}"
    assert fits(data_of(read(Source("spec.yaml", text_with(text)))), SCHEMA)
    wrong = edited(text, (f"final_norm: {word}", "final_norm: maybe"))
    assert not fits(data_of(read(Source("spec.yaml", text_with(wrong)))), SCHEMA)


def test_every_block_and_every_field_is_described() -> None:
    assert set(SCHEMA["$defs"]["Node"]["anyOf"][3]["properties"]["block"]["enum"]) == set(blocks())
    json.dumps(SCHEMA)
    for name, kind in blocks().items():
        properties = SCHEMA["$defs"][kind.__name__]["properties"]
        assert properties["block"] == {"const": name}
        assert set(kind.keys()) <= set(properties)
    bare = [
        f"{name}.{field}"
        for name, one in SCHEMA["$defs"].items()
        for field, inner in one.get("properties", {}).items()
        if field not in ("block", "about") and "description" not in inner and name != "RuleItem"
    ]
    assert bare == []


def test_references_lead_somewhere() -> None:
    found = set(re.findall(r"#/\$defs/(\w+)", json.dumps(SCHEMA)))
    assert found <= set(SCHEMA["$defs"])
