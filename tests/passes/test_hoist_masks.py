"""Masks become values, made once and as far out as can be; what a graph computes stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.algebra.scalar import Scalar
from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.printer import print_graph
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.compare import Compare
from archspec.oracle.interpreter import interpret
from archspec.passes.hoist_masks import HoistMasks
from tests.lower.graphs import BATCH, GRAPHS, SIZES, SRC, attention, encoder_decoder, start
from tests.lower.running import inputs_of


def made(graph: Graph) -> list[Node]:
    return [node for node in graph.walk() if isinstance(node.op, MakeMask)]


def masks(graph: Graph) -> list[Mask]:
    return [node.op.mask for node in graph.walk() if isinstance(node.op, Attention)]


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_computes_the_same(name: str) -> None:
    graph = GRAPHS[name]()
    hoisted = HoistMasks().run(graph).graph
    rng = np.random.default_rng(0)
    parameters = {key: rng.normal(size=[d.value({}) for d in p.type.shape]) for key, p in expand(graph).items()}
    inputs = {key: tensor.numpy() for key, tensor in inputs_of(graph, SIZES).items()}
    before, after = (interpret(one, inputs, parameters, SIZES) for one in (graph, hoisted))
    assert set(expand(hoisted)) == set(expand(graph))
    for key, array in before.items():
        np.testing.assert_allclose(after[key], array, rtol=1e-12, atol=1e-12)


def test_one_mask_serves_encoder_and_decoder() -> None:
    result = HoistMasks().run(encoder_decoder(2))
    assert result.modified
    (node,) = made(result.graph)
    assert node in result.graph.nodes
    assert masks(result.graph) == [Given(0, 1), Causal(), Given(0, 1)]
    captured = [value.name for inner in result.graph.walk() for region in inner.regions for value in region.inputs]
    assert "src_valid" not in captured


def test_the_graph_given_is_left_as_it_was() -> None:
    graph = encoder_decoder(2)
    before = print_graph(graph)
    HoistMasks().run(graph)
    assert print_graph(graph) == before


def test_nothing_to_do_gives_the_graph_itself() -> None:
    b, x = start()
    graph = b.finish({"y": attention(b, "a", attention(b, "c", x, Causal()), All())})
    result = HoistMasks().run(graph)
    assert result.graph is graph
    assert not result.modified


@pytest.mark.parametrize(
    ("mask", "padding", "keeps"),
    [
        (KeyValid(0), None, True),
        (KeyValid(0), "right", False),
        (KeyValid(0), "left", False),
        (Causal() & KeyValid(0), "right", False),
        (Causal() & KeyValid(0), "left", True),
    ],
)
def test_rows_are_kept_only_where_one_may_be_empty(mask: Mask, padding: str | None, keeps: bool) -> None:
    b, x = start()
    valid = b.input("valid", TensorType.of(DType.BOOL, BATCH, SRC))
    graph = b.finish({"y": attention(b, "a", x, mask, (valid,))})
    promises = {} if padding is None else {"valid": padding}
    hoisted = HoistMasks(promises=promises).run(graph).graph
    assert [node.op.keep for node in made(hoisted)] == [keeps]


def test_a_control_that_a_layer_computes_keeps_its_mask_in_the_layer() -> None:
    b, x = start()
    ids = b.input("ids", TensorType.of(DType.INT64, BATCH, SRC))

    def layer(x: Value) -> Value:
        valid = b.add(Compare(kind="!=", number=Scalar.of(0)), ids, result="valid")
        return b.add(Binary(kind="add"), x, attention(b, "attention", x, KeyValid(0), (valid,)), result="x")

    graph = b.finish({"y": b.repeat("layers", ("Layer",), (layer,), Schedule.uniform(2), x)})
    hoisted = HoistMasks().run(graph).graph
    (node,) = made(hoisted)
    (repeat,) = hoisted.nodes
    assert node in repeat.regions[0].nodes


def test_a_mask_of_an_inner_and_a_passed_control_is_made_where_both_are_known() -> None:
    b, x = start()
    ids = b.input("ids", TensorType.of(DType.INT64, BATCH, SRC))
    valid = b.input("valid", TensorType.of(DType.BOOL, BATCH, SRC))

    def layer(x: Value) -> Value:
        some = b.add(Compare(kind="!=", number=Scalar.of(0)), ids, result="some")
        mask = KeyValid(0) & KeyValid(1)
        return b.add(Binary(kind="add"), x, attention(b, "attention", x, mask, (some, valid)), result="x")

    graph = b.finish({"y": b.repeat("layers", ("Layer",), (layer,), Schedule.uniform(2), x)})
    hoisted = HoistMasks().run(graph).graph
    (node,) = made(hoisted)
    region = hoisted.nodes[0].regions[0]
    assert node in region.nodes
    assert {value.name for value in node.inputs} == {"some", "valid"}
    rng = np.random.default_rng(0)
    parameters = {key: rng.normal(size=[d.value({}) for d in p.type.shape]) for key, p in expand(graph).items()}
    inputs = {key: tensor.numpy() for key, tensor in inputs_of(graph, SIZES).items()}
    before, after = (interpret(one, inputs, parameters, SIZES) for one in (graph, hoisted))
    np.testing.assert_allclose(after["y"], before["y"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", [(Causal(), All()), (All(), Causal())])
def test_one_module_has_one_style_of_mask(order: tuple[Mask, Mask]) -> None:
    b, x = start()
    first = attention(b, "a", x, order[0])
    with b.reuse():
        second = attention(b, "a", x, order[1])
    hoisted = HoistMasks().run(b.finish({"first": first, "second": second})).graph
    assert masks(hoisted) == [Given(0), Given(0)]
    assert {type(node.op.mask) for node in made(hoisted)} == {Causal, All}
