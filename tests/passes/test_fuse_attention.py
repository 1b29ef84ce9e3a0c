"""Attention of a step with what it keeps, as one op: where it may be, and that the step computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.analyses.parameters import expand
from archspec.checking import accepted
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.lower.emission import cached
from archspec.ops.attention.attention import Attention
from archspec.ops.position.rotary import Rotary
from archspec.ops.state.step_attention import StepAttention
from archspec.ops.state.write_positions import WritePositions
from archspec.oracle.interpreter import interpret
from archspec.passes.fuse_attention import FuseAttention

ROWS, NEW, CAPACITY = 3, 2, 9


def step(name: str) -> Graph:
    """The step of a shipped spec."""
    made = cached(accepted(name, reduced=True).spec, {})
    assert made is not None
    return made.step


def count(graph: Graph, op: type) -> int:
    return sum(isinstance(node.op, op) for node in graph.walk())


def computed(graph: Graph) -> dict[str, np.ndarray]:
    """The outputs for random parameters, state and counts of positions."""
    rng = np.random.default_rng(0)
    parameters = {name: rng.normal(size=[d.value({}) for d in p.type.shape]) for name, p in expand(graph).items()}
    sizes = {"batch": ROWS, "new": NEW, "length": CAPACITY}
    inputs = {}
    for value in graph.inputs:
        shape = [size.value(sizes) for size in value.type.shape]
        bound = CAPACITY - NEW + 1 if value.type.bound is None else value.type.bound.value(sizes)
        floats = value.type.dtype is DType.FLOAT
        inputs[value.name] = rng.normal(size=shape) if floats else rng.integers(0, bound, size=shape)
    return interpret(graph, inputs, parameters)


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        pytest.param("gpt2", 0, id="no positions"),
        pytest.param("llama-3.2-1b", 1, id="grouped heads, rotated"),
        pytest.param("qwen3-0.6b", 1, id="a norm between heads and rotation"),
        pytest.param("olmo2-1b", 1, id="a norm before heads"),
    ],
)
def test_the_step_computes_the_same(name: str, rotated: int) -> None:
    before = step(name)
    after = FuseAttention().run(before).graph
    assert count(before, Attention) == count(after, StepAttention) == 1
    assert count(after, Attention) == count(after, WritePositions) == count(after, Rotary) == 0
    assert [node.op.rotary for node in after.walk() if isinstance(node.op, StepAttention)] == [bool(rotated)]
    assert [value.name for value in before.inputs] == [value.name for value in after.inputs]
    assert before.output_names == after.output_names
    wanted, found = computed(before), computed(after)
    for output, array in wanted.items():
        np.testing.assert_allclose(found[output], array, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("mistral-7b", id="windows are kept in rings"),
        pytest.param("gemma-2-2b", id="scores have a cap"),
        pytest.param("t5-small", id="scores have a bias"),
    ],
)
def test_what_the_op_does_not_say_stays(name: str) -> None:
    before = step(name)
    assert FuseAttention().run(before).graph is before
