"""Which gradients ranks exchange, and at which lengths: by the graph, and by what PyTorch has gradients of."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.planner import plan
from archspec.ir.placement import Replicate
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.spec import load
from tests.parallel.emitted import emitted, loss, outputs, whole

# `code` only decides which entry is chosen, `scaled` also what the output is.
CHOICE = """
archspec: 1
name: choice
dims: {batch: [1, 2, 4], length: [1, 5, 9]}
inputs:
  x: float[batch, length, 8]
graph:
  code: {block: linear, input: x, dim: 16}
  hidden: {block: feed_forward, input: code, hidden: 32, activation: relu}
  chosen: {block: argmax, input: hidden, axis: -1}
  scaled: {block: feed_forward, input: x, hidden: 32, activation: relu}
outputs:
  chosen: int64[batch, length]
  scaled: float[batch, length, 8]
"""


def test_a_table_is_counted_at_each_length() -> None:
    graph = with_masks(load("t5-small", reduced=True, set=["vocab=96"]))
    found: Counter[tuple[str, str, str]] = Counter()
    for one in collectives(plan(graph, 2, boundaries(graph))):
        if one.where == "source.table":
            found[one.kind, one.phase, str(one.elements)] += one.times
    assert found == {("all-reduce", "forward", f"32*batch*{length}"): 1 for length in ("src", "tgt")}


def test_what_only_chooses_has_no_gradient() -> None:
    graph = with_masks(load("deepseek-v3", reduced=True))
    made = plan(graph, 2, boundaries(graph))
    (bias,) = (one for one in made.parameters if not one.has_gradient)
    assert bias.parameter.path == "states.layers.*.feed_forward.router.bias"
    assert bias.parameter.trainable
    assert bias.placement == Replicate()
    joined = {one.where for one in collectives(made)}
    assert "states.layers.*.feed_forward.router.weight" in joined
    assert bias.parameter.path not in joined


def test_what_reaches_no_float_output_has_no_gradient(tmp_path: Path) -> None:
    (tmp_path / "choice.yaml").write_text(CHOICE)
    graph = with_masks(load(tmp_path / "choice.yaml"))
    made = plan(graph, 2, boundaries(graph))
    behind = {one.parameter.path for one in made.parameters if not one.has_gradient}
    assert {path.partition(".")[0] for path in behind} == {"code", "hidden"}
    # The sum of `code` is joined for all of `hidden`: its gradient would be joined as well.
    joined = {(one.phase, one.where) for one in collectives(made)}
    assert ("forward", "code") in joined
    assert {where for phase, where in joined if phase == "backward"} == {"scaled.down"}


@pytest.mark.parametrize("name", ["deepseek-v3", "t5-small", "swin-t"])
def test_parameters_without_a_gradient_are_those_of_torch(name: str) -> None:
    texts, made = emitted(load(name, reduced=True), 2)
    module = whole(texts)
    inputs = {key: one.double() if one.is_floating_point() else one for key, one in texts.inputs.items()}
    loss(outputs(module, inputs)).backward()  # type: ignore[no-untyped-call]
    none = {re.sub(r"[.]\d+(?=[.])", ".*", key) for key, one in module.named_parameters() if one.grad is None}
    planned = {one.parameter.path for one in made.parameters if not one.has_gradient and not one.parameter.buffer}
    assert {re.sub(r"[.]\d+(?=[.])", ".*", path) for path in planned} == none
