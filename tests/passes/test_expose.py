"""An exposed value is the one that the graph computes anyway, and everything else stays as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archspec.analyses.parameters import expand
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.printer import print_graph
from archspec.ir.repeat import Repeat
from archspec.ir.verifier import InvalidGraph
from archspec.model.exposing import exposed
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import minimum
from archspec.ops.attention.attention import Attention
from archspec.oracle.interpreter import Interpretation, interpret
from archspec.oracle.sizes import sizes_of
from archspec.passes.expose import Expose, UnknownPath, inner_paths
from archspec.spec import Spec, load

Array = NDArray[Any]


class Recording(Interpretation):
    """Keeps what every node of every layer gives."""

    def __init__(self, parameters: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        super().__init__(parameters, sizes)
        self.found: dict[tuple[Value, tuple[int, ...]], Array] = {}

    def made(self, node: Node, results: list[Array]) -> list[Array]:
        self.found.update(zip(((value, self.at) for value in node.outputs), results, strict=True))
        return results


def exact(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def run_of(spec: Spec) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and parameters for a spec."""
    rng = np.random.default_rng(0)
    parameters = {key: rng.normal(size=[d.value({}) for d in p.type.shape]) for key, p in expand(spec.graph).items()}
    return sample(interface_of(spec), minimum(spec.dims.values()), 0), parameters


def numbered(spec: Spec, count: int) -> list[str]:
    """Some inner paths of a spec, each with numbers of layers."""
    r = random.Random(spec.name)
    found = sorted({path for path in inner_paths(spec.graph) if "*" in path or "weights" in path})
    some = r.sample(found, min(count, len(found)))
    return [path.replace("*", r.choice("01")) for path in some]


def recorded(graph: Graph, path: str, run: Recording, at: tuple[int, ...] = ()) -> Array | None:
    """What the value at a path was in a run of the graph as it is; None for one that was not computed."""
    if path in graph.inner:
        inner = graph.inner[path]
        return None if inner.port else run.found.get((inner.value, at))
    node = max(
        (one for one in graph.nodes if path.startswith(f"{one.name}.") and one.regions), key=lambda n: len(n.name)
    )
    rest = path[len(node.name) + 1 :]
    if isinstance(node.op, Call):
        return recorded(node.regions[0], rest, run, at)
    assert isinstance(node.op, Repeat)
    layer, _, rest = rest.partition(".")
    region = node.regions[node.op.schedule[int(layer)]]
    inside = (*at, int(layer))
    return recorded(region, rest, run, inside) if rest else run.found[region.outputs[0], inside]


@pytest.mark.parametrize("name", ["gpt2", "transformer-base", "gated-attention", "vit-b16", "gemma-2-2b"])
def test_an_exposed_value_is_what_the_graph_computes(name: str) -> None:
    spec = load(name, reduced=True)
    inputs, parameters = run_of(spec)
    run = Recording(parameters, sizes_of(spec.graph, inputs))
    run.graph(spec.graph, [exact(inputs[value.name]) for value in spec.graph.inputs], ())
    paths = numbered(spec, 6)
    assert paths
    more = exposed(spec, paths)
    before, after = (interpret(one.graph, inputs, parameters) for one in (spec, more))
    for output, array in before.items():
        np.testing.assert_array_equal(after[output], array)
    found = {path: recorded(spec.graph, path, run) for path in paths}
    # Weights are not computed unless they are asked for: the tests of `attend` compare them.
    assert any(array is not None for array in found.values())
    for path, array in found.items():
        if array is not None:
            np.testing.assert_array_equal(after[path.replace(".", "_")], array)
    assert set(expand(more.graph)) == set(expand(spec.graph))


def weights_of(graph: Graph) -> Iterator[Attention]:
    yield from (node.op for node in graph.walk() if isinstance(node.op, Attention) and node.op.weights)


def test_bodies_without_the_value_are_shared() -> None:
    spec = load("transformer-base", reduced=True)
    more = exposed(spec, ["states.layers.1.cross_attention.weights"])
    before = {node.name: node for node in spec.graph.nodes}
    after = {node.name: node for node in more.graph.nodes}
    assert after["memory"] is before["memory"]
    assert after["states"] is not before["states"]
    assert len(list(weights_of(more.graph))) == 1
    assert not list(weights_of(spec.graph))
    assert more.graph.inputs == spec.graph.inputs


def test_what_is_an_output_already_is_not_made_twice() -> None:
    spec = load("gpt2", reduced=True)
    once = exposed(spec, ["states.layers.1.attention.weights"])
    assert exposed(once, ["states.layers.1.attention.weights"]) is once
    twice = exposed(once, ["states.layers.0.attention.weights"])
    (op,) = (node.op for node in twice.graph.walk() if isinstance(node.op, Repeat))
    assert [(tap.layer, tap.output) for tap in op.taps] == [(1, 1), (0, 1)]


def test_the_pass_by_itself() -> None:
    graph = load("gpt2", reduced=True).graph
    result = Expose(outputs={"h": "states.layers.0"}).run(graph)
    assert result.modified
    assert result.graph.output_names == (*graph.output_names, "h")
    assert "taps=(Tap(0, 0))" in print_graph(result.graph)
    with pytest.raises(UnknownPath, match=r"no value at states\.layers\.9"):
        Expose(outputs={"h": "states.layers.9"}).run(graph)
    with pytest.raises(InvalidGraph, match="expected one distinct name per output"):
        Expose(outputs={graph.output_names[0]: "states.layers.0"}).run(graph)


def test_the_rules_are_about_the_new_graph_and_have_the_same_verdicts() -> None:
    checked = accepted("transformer-base", reduced=True)
    more = exposed(checked.spec, ["memory.layers.0", "states.layers.1.attention.weights"])
    known = {*more.graph.inputs, *(value for node in more.graph.nodes for value in node.outputs)}
    assert len(more.rules) == len(checked.spec.rules) > 0
    assert all({rule.output, rule.input} <= known for rule in more.rules)
    again = accepted(more)
    said = [(str(one.rule), one.status) for one in again.verdicts]
    assert said == [(str(one.rule), one.status) for one in checked.verdicts]


def test_refusals() -> None:
    spec = exposed(load("gpt2", reduced=True), ["states.layers.0"])
    for path, code in (("states.layers.7", "E218"), ("nothing.at.all", "E201"), ("states.layers.0.nothing", "E218")):
        with pytest.raises(SpecError) as raised:
            exposed(spec, [path])
        assert [found.code for found in raised.value.diagnostics] == [code]
    other = replace(spec, outputs={**spec.outputs, "states_layers_1": spec.outputs["logits"]})
    with pytest.raises(SpecError) as raised:
        exposed(other, ["states.layers.1"])
    (found,) = raised.value.diagnostics
    assert found.message == "`states.layers.1` would become the output `states_layers_1`, but that name is in use"
