"""Fields of ops that wrap around, against what each position reads by brute force: never more than there are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from archspec.analyses.field import ReceptiveFields
from archspec.analyses.reading import AROUND
from archspec.checking.fields import field_of, field_text
from archspec.spec import load
from tests.analyses.test_random_fields import spans
from tests.rules.brute import Brute, random_inputs

HEAD = """archspec: 1
name: wrapped
dims: {batch: [1, 2, 4], x: [8, 16, 64]}
defaults: {norm: layer_norm}
inputs: {s: "float[batch, 3, x]"}
graph:
  r: {block: roll, input: s, axis: 2, by: 3}
"""
CIRCULAR = "block: conv, channels: 3, kernel: 5, padding: circular"
CASES = {
    "  y: {block: roll, input: r, axis: 2, by: -2}": ("1 position", 1),
    f"  y: {{{CIRCULAR}, input: s}}": ("at most x positions", 12),
    f"  c: {{{CIRCULAR}, input: s}}\n  y: {{{CIRCULAR}, input: c}}": ("at most x positions", 12),
    "  y: s + r": ("at most x positions", 10),
    "  y: {block: conv, input: r, channels: 3, kernel: 3, padding: same}": ("at most x positions", 12),
    "  y: {block: shift, input: r, axis: 2, by: 1}": ("1 position", 1),
    "  c: {block: conv, input: s, channels: 3, kernel: 3, padding: same}\n"
    "  y: {block: roll, input: c, axis: 2, by: 1}": ("3 positions", 3),
}


@pytest.mark.parametrize("nodes", CASES)
def test_no_more_positions_than_the_input_has(nodes: str, tmp_path: Path) -> None:
    """The reach that is counted at 12 positions is the field or, where that is a bound, no more."""
    told, reached = CASES[nodes]
    path = tmp_path / "wrapped.yaml"
    path.write_text(f'{HEAD}{nodes}\noutputs: {{y: "float[batch, 3, x]"}}\n')
    graph, sizes = load(path).graph, {"batch": 1, "x": 12}
    (source,), (value,) = graph.inputs, graph.outputs
    found = ReceptiveFields(graph).of(value, source, 2)
    shown = field_of(ReceptiveFields(graph), graph, "y", value, source, [2])
    assert found is not None
    assert found.extent is not None
    assert shown is not None
    assert field_text(shown) == told
    assert found.why == (AROUND if told.startswith("at most") else "")
    (state,) = Brute(graph, random_inputs(graph, random.Random(0), sizes), sizes).states
    assert spans(state.reads["s"], value, source, sizes, 2) == reached <= found.extent.value(sizes)


@pytest.mark.parametrize("nodes", ["  a: r", "  a: {block: conv, input: r, channels: 3, kernel: 1}"])
def test_what_reads_everything_behind_a_roll_is_global(nodes: str, tmp_path: Path) -> None:
    path = tmp_path / "wrapped.yaml"
    tail = '  t: {block: rearrange, input: a, pattern: "b c n -> b n c"}\n  y: {block: pool, input: t, kind: mean}\n'
    path.write_text(f'{HEAD}{nodes}\n{tail}outputs: {{y: "float[batch, 3]"}}\n')
    graph = load(path).graph
    found = ReceptiveFields(graph).of(graph.outputs[0], graph.inputs[0], 2)
    assert found is not None
    assert found.extent is None
    assert found.lost is graph.outputs[0].producer
