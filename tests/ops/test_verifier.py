"""The verifier finds each way in which a graph can be broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat, Schedule, Tap
from archspec.ir.verifier import InvalidGraph, verify
from tests.lower.graphs import GRAPHS, exposed, start

WIDE = GRAPHS["chain"]().outputs[0].type


@pytest.mark.parametrize("name", GRAPHS)
def test_what_the_builder_makes_is_valid(name: str) -> None:
    graph = GRAPHS[name]()
    verify(graph)
    assert unmade(graph) == []


def unmade(graph: Graph) -> list[Value]:
    """What is read of a value that neither an input nor a node before gives, in a graph and in its regions."""
    known, found = set(graph.inputs), []
    for node in graph.nodes:
        found += [value for value in node.inputs if value not in known]
        found += [value for region in node.regions for value in unmade(region)]
        known.update(node.outputs)
    return found + [value for value in graph.outputs if value not in known]


def broken(graph: Graph, wanted: str) -> None:
    with pytest.raises(InvalidGraph) as raised:
        verify(graph)
    assert any(wanted in finding for finding in raised.value.findings)


def changed(graph: Graph, number: int, **fields: object) -> Graph:
    """The graph with fields of one node changed; its outputs stay those of the old node."""
    nodes = list(graph.nodes)
    nodes[number] = replace(nodes[number], **fields)
    return replace(graph, nodes=tuple(nodes))


def test_undefined_operand() -> None:
    graph = GRAPHS["chain"]()
    broken(changed(graph, 0, inputs=(Value("stray", graph.inputs[0].type),)), "not defined before use")


def test_region_that_reads_an_outer_value() -> None:
    graph = GRAPHS["numbered_layers"]()
    (node,) = graph.nodes
    region = node.regions[0]
    inner = replace(region.nodes[0], inputs=(graph.inputs[0],), outputs=region.nodes[0].outputs)
    leaky = replace(region, nodes=(inner, *region.nodes[1:]))
    broken(replace(graph, nodes=(replace(node, regions=(leaky,)),)), "not defined before use in this region")


def test_nodes_in_the_wrong_order() -> None:
    graph = GRAPHS["chain"]()
    broken(replace(graph, nodes=graph.nodes[::-1]), "not defined before use")


def test_another_type_than_inferred() -> None:
    graph = GRAPHS["chain"]()
    node = graph.nodes[0]
    value = Value("wrong", graph.inputs[0].type)
    wrong = replace(node, outputs=(value,))
    broken(replace(graph, nodes=(wrong,), outputs=(value,)), "output 0 is float[batch, src, 8], expected")


def test_parameters_that_are_not_the_ops() -> None:
    graph = GRAPHS["chain"]()
    node = graph.nodes[0]
    broken(changed(graph, 0, parameters={}, owned=frozenset()), "expected the parameters ['bias', 'weight'], found []")
    broken(changed(graph, 0, owned=frozenset({"weight", "bias", "more"})), "`owned` names a parameter")
    swapped = {"weight": node.parameters["bias"], "bias": node.parameters["weight"]}
    broken(changed(graph, 0, parameters=swapped), "the shape of a parameter differs")


def test_a_body_with_other_inputs_or_outputs() -> None:
    graph = GRAPHS["frozen"]()
    region = graph.nodes[0].regions[0]
    extra = replace(region, inputs=(*region.inputs, Value("extra", region.inputs[0].type)))
    broken(changed(graph, 0, regions=(extra,)), "expected 1 region input, found 2")
    none = replace(region, outputs=())
    broken(changed(graph, 0, regions=(none,)), "expected 1 result, found 0")
    broken(changed(graph, 0, regions=()), "expected 1 region of a call, found 0")


def repeat_of(graph: Graph) -> tuple[Node, Repeat]:
    (node,) = graph.nodes
    assert isinstance(node.op, Repeat)
    return node, node.op


def test_schedules_and_taps_that_name_nothing() -> None:
    graph = exposed(frozenset({"layers.1"}))
    _, op = repeat_of(graph)
    broken(changed(graph, 0, op=replace(op, schedule=Schedule(repeat=(1,), times=4))), "a region that does not exist")
    broken(changed(graph, 0, op=replace(op, taps=(Tap(layer=9, output=0),))), "tap of layer 9")
    broken(changed(graph, 0, op=replace(op, taps=())), "expected one tap for each of 1 extra outputs, found 0")
    broken(changed(graph, 0, op=replace(op, kinds=("A", "B"))), "expected one region for each of 2 kinds, found 1")


def test_names_of_outputs() -> None:
    graph = GRAPHS["chain"]()
    broken(replace(graph, output_names=()), "expected one distinct name per output, found 0 names")
    broken(replace(graph, outputs=graph.outputs * 2, output_names=("y", "y")), "one distinct name per output")


def test_duplicate_values() -> None:
    b, x = start()
    graph = b.finish({"x": x})
    broken(replace(graph, inputs=(x, x)), "duplicate input")
    node = Node(op=Call(kind="K", module="m", results=(x.type,)), inputs=(), outputs=(x,))
    broken(replace(graph, nodes=(node,)), "defined twice")
