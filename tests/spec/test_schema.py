from __future__ import annotations

import json
import re
from typing import Any

import pytest

from archspec.blocks.registry import blocks
from archspec.diagnostics import Source
from archspec.spec.schema import json_schema
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.nodes import MapNode, Node, TextNode
from archspec.text.reader import read
from tests.spec.example import text_with

SCHEMA = json_schema()
PATHS = sorted(shipped_specs_dir().glob("*.yaml"))
_TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}


def data_of(node: Node) -> Any:
    """A node as an editor sees it: YAML's own reading of plain words."""
    if isinstance(node, MapNode):
        return {entry.key.value: data_of(entry.value) for entry in node.entries}
    if not isinstance(node, TextNode):
        return [data_of(item) for item in node.items]
    if not node.quoted and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", node.value):
        return float(node.value) if re.search(r"[.e]", node.value) else int(node.value)
    return {"true": True, "false": False}.get(node.value, node.value)


def is_type(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and not (isinstance(value, bool) and name in ("number", "integer"))  # type: ignore[arg-type]


def fits(value: Any, schema: Any) -> bool:
    """As much of JSON Schema as the language's schema uses."""
    if isinstance(schema, bool):
        return schema
    checks = {
        "$ref": lambda: fits(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]),
        "type": lambda: (
            any(is_type(value, one) for one in [schema["type"]] if isinstance(one, str))
            or (isinstance(schema["type"], list) and any(is_type(value, one) for one in schema["type"]))
        ),
        "anyOf": lambda: any(fits(value, one) for one in schema["anyOf"]),
        "allOf": lambda: all(fits(value, one) for one in schema["allOf"]),
        "not": lambda: not fits(value, schema["not"]),
        "if": lambda: fits(value, schema["then"]) if fits(value, schema["if"]) else True,
        "const": lambda: value == schema["const"],
        "enum": lambda: value in schema["enum"],
        "pattern": lambda: not isinstance(value, str) or bool(re.search(schema["pattern"], value)),
    }
    return all(check() for key, check in checks.items() if key in schema) and fits_inside(value, schema)


def fits_inside(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, list):
        size = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return size and all(fits(item, schema.get("items", True)) for item in value)
    if not isinstance(value, dict):
        return True
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    size = schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    required = all(name in value for name in schema.get("required", []))
    return size and required and all(fits(item, known.get(name, others)) for name, item in value.items())


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
        assert not fits(data_of(read(Source("spec.yaml", text_with(OWN.replace(old, new))))), SCHEMA)
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
    alone = EXTENDED.replace("extends: gpt2\n", "") + changes + "\n"
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
        assert not fits(data_of(read(Source("spec.yaml", text_with(BODY.replace(old, new))))), SCHEMA)


@pytest.mark.parametrize("word", ["true", "false", "none", "layer_norm", "{kind: rms_norm, eps: 1e-3}"])
def test_a_norm_that_is_a_switch(word: str) -> None:
    stack = "layers: 1, residual: pre, attention: none, feed_forward: none"
    text = f"graph:\n  y: {{block: encoder, input: x, {stack}, final_norm: {word}}}"
    assert fits(data_of(read(Source("spec.yaml", text_with(text)))), SCHEMA)
    wrong = text.replace(f"final_norm: {word}", "final_norm: maybe")
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
