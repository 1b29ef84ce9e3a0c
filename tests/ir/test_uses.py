"""Values know their uses, and a rewritten graph shares what no edit touches."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import Rewriter, everywhere, remade
from archspec.ir.types import DType
from archspec.ir.verifier import verify
from archspec.ops.elementwise.unary import Unary
from archspec.ops.shape.transpose import Transpose
from archspec.oracle.interpreter import interpret
from archspec.passes.scopes import Scopes
from tests.lower.graphs import GRAPHS, SIZES, start
from tests.lower.running import inputs_of
from tests.rules.random_graphs import Maker

seeds = st.integers(0, 10**6)
FEW = settings(max_examples=40, deadline=None)


def made(seed: int) -> Graph:
    """A random graph, or one of those with nested bodies."""
    r = random.Random(seed)
    return GRAPHS[r.choice(sorted(GRAPHS))]() if r.random() < 0.3 else Maker(r).graph()


def bodies(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes:
        for region in node.regions:
            yield from bodies(region)


def values(graph: Graph) -> Iterator[Value]:
    yield from graph.inputs
    for node in graph.nodes:
        yield from node.outputs


def outputs(graph: Graph, like: Graph) -> dict[str, np.ndarray]:
    """What a graph computes; inputs and parameters are drawn for `like`."""
    rng = np.random.default_rng(0)
    sizes = {"batch": 2, "n": 4, "m": 3, **SIZES}
    parameters = {key: rng.normal(size=[d.value({}) for d in p.type.shape]) for key, p in expand(like).items()}
    inputs = {key: tensor.numpy() for key, tensor in inputs_of(like, sizes).items()}
    with np.errstate(all="ignore"):
        return interpret(graph, inputs, parameters, sizes)


def same_outputs(new: Graph, old: Graph) -> None:
    verify(new)
    before, after = outputs(old, old), outputs(new, old)
    assert list(after) == list(before)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


# -- uses


@FEW
@given(seeds)
def test_the_uses_are_those_of_a_scan(seed: int) -> None:
    for body in bodies(made(seed)):
        for value in values(body):
            scanned = [(node, k) for node in body.nodes for k, x in enumerate(node.inputs) if x is value]
            scanned += [(None, k) for k, x in enumerate(body.outputs) if x is value]
            assert [(use.node, use.number) for use in body.uses(value)] == scanned


@FEW
@given(seeds)
def test_the_uses_inside_are_those_of_all_that_stands_for_the_value(seed: int) -> None:
    graph = made(seed)
    scopes = Scopes(graph)
    for value in values(graph):
        found = [(use.node, use.number) for use in graph.uses_inside(value) if use.node is not None]
        operands = {(node, k): x for node in graph.walk() for k, x in enumerate(node.inputs)}
        scanned = {
            (node, k)
            for (node, k), x in operands.items()
            if scopes.origin(x) is value and (not node.regions or (isinstance(node.op, Repeat) and k == 0))
        }
        assert len(found) == len(set(found))
        assert set(found) == scanned


# -- edits


def through_two_turns(value: Value) -> tuple[list[Node], Value]:
    """Nodes that give a value back, and what they give."""
    op = Transpose(order=tuple(reversed(range(value.type.rank))))
    turned = Value("", *op.infer(value.type))
    back = Value("", *op.infer(turned.type))
    return [Node(op=op, inputs=(value,), outputs=(turned,)), Node(op=op, inputs=(turned,), outputs=(back,))], back


@FEW
@given(seeds)
def test_a_value_is_replaced_everywhere_and_nothing_else_is_copied(seed: int) -> None:
    graph, r = made(seed), random.Random(seed)
    chosen = {value for body in bodies(graph) for value in values(body) if r.random() < 0.2}
    chosen = {value for value in chosen if value.type.dtype is DType.FLOAT}

    def edit(rewriter: Rewriter) -> None:
        for value in values(rewriter.graph):
            # The bodies in it were edited before: a value that was made again is no longer among the chosen ones.
            if value in chosen:
                nodes, back = through_two_turns(value)
                place = {"after": value.producer} if value.producer in rewriter.graph.nodes else {}
                if place:
                    rewriter.insert(*nodes, **place)
                else:
                    rewriter.insert_first(*nodes)
                rewriter.replace_value(value, back)

    new = everywhere(graph, edit)
    same_outputs(new, graph)
    kept = {id(body) for body in bodies(new)}
    for body in bodies(graph):
        inner = {value for one in bodies(body) for value in values(one)}
        assert (id(body) in kept) == chosen.isdisjoint(inner)


@FEW
@given(seeds)
def test_a_node_is_replaced_by_nodes(seed: int) -> None:
    graph, r = made(seed), random.Random(seed)
    node = r.choice(graph.nodes)
    first = remade(node)
    ends = [through_two_turns(value) if value.type.dtype is DType.FLOAT else ([], value) for value in first.outputs]
    rewriter = Rewriter(graph)
    rewriter.replace(node, [first, *(one for nodes, _ in ends for one in nodes)], [back for _, back in ends])
    new = rewriter.finish()
    same_outputs(new, graph)
    before = graph.nodes.index(node)
    assert new.nodes[:before] == graph.nodes[:before]
    assert node not in new.nodes
    assert [rewriter.moved(value) for value in graph.outputs] == list(new.outputs)


@FEW
@given(seeds)
def test_what_nothing_uses_is_deleted_and_no_more(seed: int) -> None:
    graph, r = made(seed), random.Random(seed)
    added = Rewriter(graph)
    floats = [value for value in values(graph) if value.type.dtype is DType.FLOAT]
    for value in r.sample(floats, min(3, len(floats))):
        added.insert(*through_two_turns(value)[0])
    more = added.finish()
    assert len(more.nodes) > len(graph.nodes)
    rewriter = Rewriter(more)
    rewriter.delete_dead()
    lean = rewriter.finish()
    same_outputs(lean, graph)
    # Independent of the order of deletion: a node stays where an output depends on it.
    needed, reached = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            needed |= set(node.inputs)
            reached.append(node)
    assert list(lean.nodes) == reached[::-1]


@FEW
@given(seeds)
def test_no_edit_gives_the_graph_itself(seed: int) -> None:
    graph = made(seed)
    assert Rewriter(graph).finish() is graph
    assert everywhere(graph, lambda rewriter: None) is graph


def test_edits_that_cannot_be() -> None:
    b, x = start()
    y = b.add(Unary(kind="exp"), x)
    graph = b.finish({"y": b.add(Unary(kind="exp"), y)})
    rewriter = Rewriter(graph)
    rewriter.replace_value(x, y)
    with pytest.raises(ValueError, match="would replace each other"):
        rewriter.replace_value(y, x)
    with pytest.raises(ValueError, match="is not made before it is used"):
        rewriter.finish()
    rewriter = Rewriter(graph)
    rewriter.remove(graph.nodes[0])
    with pytest.raises(ValueError, match="is not made before it is used"):
        rewriter.finish()
