from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.analyses.parameters import expand
from archspec.diagnostics import SpecError
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Value
from archspec.ir.repeat import Repeat
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.mask import And, Or
from archspec.model.exposing import exposed
from archspec.spec import load
from tests.spec.example import spec_of


def lines(graph: Graph) -> list[str]:
    """One line a node of the top: outputs, op, name and module, inputs."""
    names: dict[Value, str] = {value: value.name for value in graph.inputs}
    made = []
    for number, node in enumerate(graph.nodes):
        names.update((value, value.name or f"%{number}") for value in node.outputs)
        word = f"call {node.op.kind} {node.op.module}" if isinstance(node.op, Call) else node.op.name
        given = ", ".join(names[value] for value in node.inputs)
        results = ", ".join(f"{names[value]}: {value.type}" for value in node.outputs)
        made.append(f"{results} = {word} {node.name}({given})".replace(" (", "("))
    return made


def walk(graph: Graph, name: str) -> Iterator[object]:
    return (node.op for node in graph.walk() if node.op.name == name)


def test_transformer_base_is_the_graph_of_the_paper() -> None:
    spec = load("transformer-base")
    assert lines(spec.graph) == [
        "source: float[batch, src, 512] = call TokenEmbedding source source(src_ids)",
        "memory: float[batch, src, 512] = call Encoder memory memory(source, src_valid)",
        "target: float[batch, tgt, 512] = call TokenEmbedding source target(tgt_ids)",
        "states: float[batch, tgt, 512] = call Decoder states states(target, memory, src_valid)",
        "logits: float[batch, tgt, 37000] = linear logits(states)",
    ]
    assert spec.graph.output_names == ("logits",)
    layer = [
        f"{part}.{p}"
        for part in ("attention.q", "attention.k", "attention.v", "attention.out")
        for p in ("weight", "bias")
    ]
    layer += [f"attention_norm.{p}" for p in ("weight", "bias")]
    cross = [name.replace("attention", "cross_attention") for name in layer]
    feed = [f"feed_forward.{part}.{p}" for part in ("up", "down") for p in ("weight", "bias")]
    feed += [f"feed_forward_norm.{p}" for p in ("weight", "bias")]
    expected = {"source.table"}
    expected |= {f"memory.layers.{n}.{name}" for n in range(6) for name in (*layer, *feed)}
    expected |= {f"states.layers.{n}.{name}" for n in range(6) for name in (*layer, *cross, *feed)}
    assert set(expand(spec.graph)) == expected


def test_nodes_may_stand_in_any_order_and_the_written_one_is_kept_otherwise(tmp_path: Path) -> None:
    graph = """
graph:
  y: c + a
  c: {block: linear, input: b, dim: d}
  a: {block: linear, input: x, dim: d}
  b: {block: linear, input: x, dim: d}
"""
    assert [node.name or "+" for node in spec_of(tmp_path, graph).graph.nodes] == ["a", "b", "c", "+"]


def test_a_chain_passes_values_on_and_its_parts_have_names(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
graph:
  y:
    - {block: norm, input: x, kind: layer_norm}
    - - {block: linear, dim: 2*d}
      - {block: linear, dim: d}
  z: y.1 + y.0
outputs:
  y: float[batch, length, d]
  z: float[batch, length, d]
  inner: {from: y.1.0, type: "float[batch, length, 2*d]"}
""",
    )
    assert lines(spec.graph)[:3] == [
        "y_0: float[batch, length, 8] = layer_norm y.0(x)",
        "y_1_0: float[batch, length, 16] = linear y.1.0(y_0)",
        "y: float[batch, length, 8] = linear y.1.1(y_1_0)",
    ]
    assert set(expand(spec.graph)) == {f"{name}.{p}" for name in ("y.0", "y.1.0", "y.1.1") for p in ("weight", "bias")}
    assert spec.values["y"] is spec.values["y.1"] is spec.values["y.1.1"]


def test_reuse_takes_the_parameters_of_the_first(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
graph:
  a: {block: linear, input: x, dim: d}
  b: {reuse: a, input: a}
  y: {reuse: b, input: b}
""",
    )
    first, second, third = spec.graph.nodes
    assert dict(first.parameters) == dict(second.parameters) == dict(third.parameters)
    assert set(expand(spec.graph)) == {"a.weight", "a.bias"}
    assert (second.inputs, third.inputs) == (first.outputs, second.outputs)


def test_a_chain_feeds_a_reuse(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
graph:
  y:
    - {reuse: a, input: x}
    - {reuse: a}
  a: {block: linear, input: x, dim: d}
  z: y + a
outputs:
  z: float[batch, length, d]
""",
    )
    assert lines(spec.graph)[:3] == [
        "a: float[batch, length, 8] = linear a(x)",
        "y_0: float[batch, length, 8] = linear a(x)",
        "y: float[batch, length, 8] = linear a(y_0)",
    ]
    assert set(expand(spec.graph)) == {"a.weight", "a.bias"}


def test_reuse_of_masks_and_values(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
inputs:
  x: float[batch, length, d]
  valid: bool[batch, length]
graph:
  a:
    block: encoder
    input: x
    layers: 2
    residual: bare
    attention: {heads: 2, mask: key_valid(valid)}
    feed_forward: none
  y: {reuse: a, input: a, attention: {mask: all}}
""",
    )
    assert lines(spec.graph) == [
        "a: float[batch, length, 8] = call Encoder a a(x, valid)",
        "y: float[batch, length, 8] = call Encoder a y(a)",
    ]


def test_repeat_runs_a_block_again(tmp_path: Path) -> None:
    apart = spec_of(tmp_path, "graph:\n  y: {block: linear, input: x + 1, dim: d, repeat: 3}")
    (node,) = [node for node in apart.graph.nodes if isinstance(node.op, Repeat)]
    assert len(node.op.schedule) == 3
    assert set(expand(apart.graph)) == {f"y.{n}.{p}" for n in range(3) for p in ("weight", "bias")}
    shared = spec_of(tmp_path, "graph:\n  y: {block: linear, input: x + 1, dim: d, repeat: 3, share: true}")
    assert set(expand(shared.graph)) == {"y.0.weight", "y.0.bias"}


def test_equal_predicates_and_values_are_built_once(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
inputs:
  x: float[batch, length, d]
  ids: int64[batch, length]
graph:
  a: {block: pool, input: 2*x, kind: mean, valid: ids != 0 and ids < 3}
  b: {block: pool, input: 2*x, kind: max, valid: not (ids != 0)}
  y: {block: pool, input: (2*x), kind: last, valid: ids != 0}
outputs:
  a: float[batch, d]
  b: float[batch, d]
  y: float[batch, d]
""",
    )
    ops = [node.op.name for node in spec.graph.nodes]
    assert ops.count("with_number") == 1
    assert ops.count("compare") == 2
    assert ops.count("logical") == 2


def test_every_kind_of_mask(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
inputs:
  x: float[batch, length, d]
  valid: bool[batch, length]
  seen: int64[batch]
  part: int64[batch, length]
graph:
  y:
    block: encoder
    input: x
    layers: 2
    residual: bare
    attention:
      heads: 2
      mask: (causal | prefix(seen)) & key_valid(valid) & last(4) & within(d//4) & same_segment(part) & prefix(5)
    feed_forward: none
""",
    )
    (attention,) = walk(spec.graph, "attention")
    from archspec.algebra.dim import Dim

    assert attention.mask == And(  # type: ignore[attr-defined]
        (
            Or((Causal(), Prefix(control=0))),
            KeyValid(1),
            Last(Dim.of(4)),
            Within(Dim.of(2)),
            SameSegment(2),
            Prefix(length=Dim.of(5)),
        )
    )
    (node,) = spec.graph.nodes
    assert [value.name for value in node.inputs] == ["x", "seen", "valid", "part"]


def test_frozen_and_init_reach_the_parameters(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
defaults: {init: {kind: normal, std: 0.1}, bias: false}
graph:
  a: {block: linear, input: x, dim: d, frozen: true}
  y: {block: linear, input: a, dim: d, init: xavier_uniform}
""",
    )
    made = {name: (str(one.init), one.trainable) for name, one in expand(spec.graph).items()}
    assert made == {"a.weight": ("normal(0.1)", False), "y.weight": ("xavier_uniform", True)}


def test_inner_values_become_visible_where_they_are_named(tmp_path: Path) -> None:
    spec = exposed(load("transformer-base"), ["memory.layers.1.attention.weights", "states.layers.2"])
    assert {name: str(value.type) for name, value in spec.outputs.items()} == {
        "logits": "float[batch, tgt, 37000]",
        "memory_layers_1_attention_weights": "float[batch, 8, src, src]",
        "states_layers_2": "float[batch, tgt, 512]",
    }
    assert set(expand(spec.graph)) == set(expand(load("transformer-base").graph))


def test_what_is_wanted_of_a_module_is_made_at_every_use(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        """
graph:
  a:
    block: encoder
    input: x
    layers: 2
    residual: bare
    attention: {heads: 2, mask: all}
    feed_forward: none
  b: {reuse: a, input: a}
  y: b + a.layers.0
""",
    )
    first, second, last = spec.graph.nodes
    assert [len(node.outputs) for node in (first, second)] == [2, 2]
    assert last.inputs == (second.outputs[0], first.outputs[1])
    assert last.outputs[0].name == "y"


def test_layers_cost_nothing_in_nodes() -> None:
    few, many = load("gpt2", set=["layers=10"]), load("gpt2", set=["layers=1000"])
    assert len(list(few.graph.walk())) == len(list(many.graph.walk()))


def test_warnings_of_windows_are_for_the_full_size(tmp_path: Path) -> None:
    graph = """
graph:
  y:
    block: encoder
    input: x
    layers: 2
    residual: bare
    attention: {heads: 2, mask: last(16)}
    feed_forward: none
  z: 2*y
reduced: {dims: {length: [1, 2, 4]}}
"""
    assert [found.code for found in spec_of(tmp_path, graph).warnings] == ["W401", "W201"]
    assert [found.code for found in spec_of(tmp_path, graph, reduced=True).warnings] == ["W201"]


def test_inputs_keep_their_promises(tmp_path: Path) -> None:
    spec = load("bert-base")
    assert (spec.inputs["valid"].default, spec.inputs["valid"].padding) == (True, "right")
    assert (spec.inputs["types"].default, str(spec.inputs["types"].type)) == (0, "int64[batch, length] < 2")


def test_decode_is_resolved() -> None:
    decode = load("gpt2").decode
    assert decode is not None
    assert (decode.input, decode.output, decode.start, decode.end) == ("ids", "logits", None, (50256,))


@pytest.mark.parametrize("name", ["transformer-base", "bert-base", "gpt2", "vit-b16"])
def test_digests_tell_specs_apart(name: str) -> None:
    assert load(name).digest == load(name).digest
    assert load(name).digest != load(name, set=["layers=3"]).digest
    assert load(name).digest != load(name, reduced=True).digest


def test_a_rule_may_name_an_output_by_a_name_of_its_own(tmp_path: Path) -> None:
    rule = "rules:\n  - causal: {output: last, input: x}\n"
    spec = spec_of(tmp_path, f'outputs:\n  last: {{from: y, type: "float[batch, length, d]"}}\n{rule}')
    assert spec.rules[0].output is spec.values["y"]
    with pytest.raises(SpecError) as raised:
        spec_of(tmp_path, f'outputs:\n  last: {{from: y, type: "int64[batch, length, d]"}}\n{rule}')
    assert [found.code for found in raised.value.diagnostics] == ["E308"]
