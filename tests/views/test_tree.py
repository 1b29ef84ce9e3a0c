"""The tree counts every parameter once, however often a part is used, and marks what it counts elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from archspec.analyses.cost import cost
from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from archspec.views.diagram.draw import diagram
from archspec.views.fields import field_rows
from archspec.views.tree import TreeRow, tree

SHARED = """\
archspec: 1
name: shared
dims: {batch: [1, 2, 8], n: [1, 4, 8]}
inputs: {ids: "int64[batch, n] < 50"}
defaults: {norm: layer_norm}
graph:
  x: {block: token_embedding, ids: ids, vocab: 50, dim: 16}
  s:
    block: encoder
    input: x
    layers: 3
    share: true
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: all}
    feed_forward: {hidden: 32, activation: relu}
  t: {reuse: s, input: s}
  l: {block: linear, input: t, dim: 16, repeat: 2}
  y: {block: lm_head, input: l, tie: x.table}
outputs: {y: "float[batch, n, 50]"}
"""


def walk(rows: Iterable[TreeRow]) -> Iterator[TreeRow]:
    for row in rows:
        yield row
        yield from walk(row.inside)


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))
def test_rows_add_up_to_the_whole(name: str) -> None:
    spec = load(name)
    rows = tree(spec.graph)
    assert sum(row.parameters for row in rows) == cost(spec.graph).parameters
    for row in walk(rows):
        assert not row.inside or row.parameters >= sum(inner.parameters for inner in row.inside)


def test_shared_and_reused_parts_count_once(tmp_path: Path) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text(SHARED)
    spec = load(path)
    x, s, t, layers, y = tree(spec.graph)
    # One layer: attention 4*(16*16 + 16), two maps of 16*32, two norms; then the final norm.
    layer = 4 * (16 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16) + 2 * 32
    assert (x.parameters, s.parameters, t.parameters, layers.parameters, y.parameters) == (800, layer + 32, 0, 544, 0)
    assert [row.note for row in (x, s, t, layers, y)] == ["", "", "reused", "", "tied"]
    assert (s.inside[0].note, s.inside[0].parameters) == ("shared", layer)
    assert {row.note for row in walk([t]) if row.kind != "attention"} == {"reused"}
    assert s.flops == t.flops
    assert sum(row.parameters for row in (x, s, t, layers, y)) == cost(spec.graph).parameters


AXES = """\
archspec: 1
name: axes
dims: {batch: [1, 2, 4], n: [4, 8, 16]}
inputs: {x: "float[batch, 6, n]"}
blocks:
  inner:
    inputs: {x: "float[b, c, k]"}
    graph:
      first: {block: norm, input: x, axis: 1, kind: layer_norm}
      y: [{block: norm, input: first, axis: 1, kind: rms_norm}, {block: activation, kind: relu}]
    outputs: {y: "float[b, c, k]"}
graph:
  a: {block: norm, input: x, axis: 1, kind: layer_norm}
  y: {block: inner, x: a}
outputs: {y: "float[batch, 6, n]"}
"""


def test_a_norm_along_another_axis_is_shown_with_the_type_that_its_name_stands_for(tmp_path: Path) -> None:
    (tmp_path / "axes.yaml").write_text(AXES)
    spec = load(tmp_path / "axes.yaml")
    assert {row.gives for row in walk(tree(spec.graph))} == {"float[batch, 6, n]"}
    assert {row.gives for row in field_rows(spec)} == {"float[batch, 6, n]"}
    drawn = diagram(spec)
    assert "[batch, 6, n]" in drawn and "[batch, n, 6]" not in drawn
