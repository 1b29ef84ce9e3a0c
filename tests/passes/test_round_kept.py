"""What a decoder keeps, rounded to eight bits: the step computes what the full forward does, and keeps integers."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.analyses.cache import cache_size
from archspec.checking import accepted
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.lower.emission import cached
from archspec.ops.elementwise.rounded import Rounded
from archspec.ops.state.from_integers import FromIntegers
from archspec.ops.state.step_attention import StepAttention
from archspec.ops.state.to_integers import ToIntegers
from archspec.ops.state.write_positions import WritePositions
from archspec.oracle.interpreter import interpret
from archspec.passes.fuse_attention import FuseAttention
from archspec.passes.incremental.incremental import incremental
from archspec.passes.round_kept import RoundKept, round_kept
from archspec.spec import Spec
from archspec.spec.rewritten import rewritten
from tests.passes.stepping import Stepping, evenly, largest

NAMES = [
    pytest.param("gpt2", id="heads"),
    pytest.param("llama-3.2-1b", id="grouped heads, rotated"),
    pytest.param("mistral-7b", id="rings"),
    pytest.param("gemma-2-2b", id="layers of two kinds"),
    pytest.param("t5-small", id="an encoder, whose keys are made once"),
]


def rounded(name: str) -> tuple[Spec, Spec]:
    """A shipped spec, and the same one that rounds what it keeps."""
    spec = accepted(name, reduced=True).spec
    assert spec.decode is not None
    graph, rewriter = round_kept(spec.graph, spec.decode.input, spec.decode.output)
    return spec, rewritten(spec, graph, rewriter.moved)


def stepping(spec: Spec) -> Stepping:
    """The step beside the full forward, with scales that cut off a few values."""
    assert spec.decode is not None
    found = Stepping(spec.graph, spec.decode.input, spec.decode.output, rows=2, total=7)
    for path in (path for path in found.parameters if path.endswith("_kept.scale")):
        found.parameters[path] = 0.005 + 0.005 * np.abs(found.parameters[path])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_step_computes_what_the_full_forward_does(name: str) -> None:
    _, spec = rounded(name)
    run = stepping(spec)
    assert largest(run, evenly(2, 7, 1)) < 1e-10
    assert largest(run, evenly(2, 7, 3)) < 1e-10


@pytest.mark.parametrize("name", NAMES)
def test_all_that_grows_is_kept_as_integers(name: str) -> None:
    before, after = (stepping(spec).found for spec in rounded(name))
    assert all(one.type.dtype is DType.FLOAT for one in before.state)
    assert {one.kind for one in after.state if one.type.dtype is DType.FLOAT} <= {"once"}
    # Four bytes become one; what is made once stays.
    assert 4 * cache_size(after.state).position == cache_size(before.state).position
    rows = [sum(one.row_bytes.typical() for one in found.state if one.kind == "last") for found in (before, after)]
    assert rows[0] == 4 * rows[1]


def test_the_full_forward_rounds_too() -> None:
    spec, after = rounded("llama-3.2-1b")
    run = stepping(after)
    exact = interpret(spec.graph, run.inputs, run.parameters)
    apart = np.abs(interpret(after.graph, run.inputs, run.parameters)["logits"] - exact["logits"]).max()
    assert 1e-4 < apart < np.abs(exact["logits"]).max()
    # Integers so fine that they lose nothing would need scales that cut off nothing either.
    fine = {path: value * (1e-3 if path.endswith("_kept.scale") else 1) for path, value in run.parameters.items()}
    assert np.abs(interpret(after.graph, run.inputs, fine)["logits"] - exact["logits"]).max() > apart


def count(graph: Graph, op: type) -> int:
    return sum(isinstance(node.op, op) for node in graph.walk())


@pytest.mark.parametrize("name", ["gpt2", "llama-3.2-1b", "qwen3-0.6b"])
def test_attention_takes_integers_as_one_op(name: str) -> None:
    _, spec = rounded(name)
    made = cached(spec, {})
    assert made is not None
    fused = FuseAttention().run(made.step).graph
    assert [node.op.kept_integers for node in fused.walk() if isinstance(node.op, StepAttention)] == [True]
    assert [count(fused, op) for op in (Rounded, ToIntegers, FromIntegers, WritePositions)] == [0, 0, 0, 0]
    rng, sizes = np.random.default_rng(0), {"batch": 3, "new": 2, "length": 9}
    inputs = {}
    for value in fused.inputs:
        shape = [size.value(sizes) for size in value.type.shape]
        match value.type.dtype:
            case DType.FLOAT:
                inputs[value.name] = rng.normal(size=shape)
            case DType.INT8:
                inputs[value.name] = rng.integers(-128, 128, size=shape).astype(np.int8)
            case _:
                bound = 8 if value.type.bound is None else value.type.bound.value(sizes)
                inputs[value.name] = rng.integers(0, bound, size=shape)
    parameters = stepping(spec).parameters
    wanted, found = interpret(made.step, inputs, parameters), interpret(fused, inputs, parameters)
    for output, array in wanted.items():
        np.testing.assert_allclose(found[output], array, rtol=1e-9, atol=1e-9)


def test_what_only_the_step_computes_is_not_rounded() -> None:
    spec = accepted("deepseek-v3", reduced=True).spec
    assert spec.decode is not None
    assert RoundKept(fed=spec.decode.input, output=spec.decode.output).run(spec.graph).graph is spec.graph


def test_nothing_is_left_of_values_that_nothing_reads() -> None:
    _, spec = rounded("gpt2")
    assert spec.decode is not None
    step = incremental(spec.graph, spec.decode.input, [spec.decode.output]).step
    # One for the keys and one for the values: new entries are read from what is kept.
    assert [count(step, op) for op in (Rounded, ToIntegers, FromIntegers)] == [0, 2, 2]
