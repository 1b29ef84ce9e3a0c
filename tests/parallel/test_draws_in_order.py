"""Emitted code draws what `DRAWS` says, in order: each op that draws gets a rate of its own, which is seen to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archspec.algebra.scalar import Scalar
from archspec.checking import accepted
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.rewriter import Rewriter, everywhere
from archspec.ir.types import DType, TensorType, axis
from archspec.lower import class_name
from archspec.lower.emission import emit_graph, with_masks
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.dropout import Dropout
from archspec.parallel.drawing import draws
from archspec.spec import Spec, load
from tests.lower.running import filled, inputs_of
from tests.parallel.emitted import loaded
from tests.parallel.variants import VARIANTS, variant

# Dropout of attention, of hidden features and of residuals; paths; two stacks.
FIRST = ["gpt2", "segformer-b0", "detr-resnet-50"]
MORE = ["t5-small", "mobilenet-v2", "bart-base"]


def rate_of(node: Node) -> float:
    """The rate of an op that draws."""
    op: Any = node.op
    rate = op.rate if hasattr(op, "rate") else op.dropout
    return float(rate.constant) if isinstance(rate, Scalar) else rate


def with_own_rates(graph: Graph) -> Graph:
    """A graph in which every op of a body that draws has another rate."""

    def edit(rewriter: Rewriter) -> None:
        drawing = [node for node in rewriter.graph.nodes if isinstance(node.op, Primitive) and node.op.draws]
        for number, node in enumerate(drawing, 1):
            field = "rate" if hasattr(node.op, "rate") else "dropout"
            own = Scalar.of(number) / 1000 if isinstance(getattr(node.op, field), Scalar) else number / 1000
            rewriter.change(node, op=replace(node.op, **{field: own}))

    return everywhere(graph, edit)


class Drawn(TorchFunctionMode):
    """The rates of what is drawn, by the path of the module whose forward draws, for each run of that."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.runs: list[tuple[str, list[float]]] = []
        self.running: list[list[float]] = []
        for path, one in module.named_modules():
            vars(one)["forward"] = partial(self.run, path, one.forward)

    def run(self, path: str, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.running.append([])
        self.runs.append((path, self.running[-1]))
        try:
            return forward(*args, **kwargs)
        finally:
            self.running.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = kwargs or {}
        if func is F.dropout:
            self.running[-1].append(given["p"])
        elif func is F.scaled_dot_product_attention and "dropout_p" in given:
            self.running[-1].append(given["dropout_p"])
        return func(*args, **given)


def check(graph: Graph, source: str, name: str, inputs: Mapping[str, Tensor]) -> int:
    """Every run of a module draws at the rates of its nodes, in order; returns the number of draws."""
    wanted = [
        (re.compile(re.escape(place.path).replace(r"\*", r"\d+")), place, [rate_of(node) for node in nodes])
        for place, nodes in draws(graph)
    ]
    module = filled(loaded(source)[name]()).double().train()
    with Drawn(module) as drawn:
        module(**{key: one.double() if one.is_floating_point() else one for key, one in inputs.items()})
    total = 0
    for path, rates in drawn.runs:
        numbers = tuple(int(part) for part in path.split(".") if part.isdigit())
        found = [
            nodes
            for pattern, place, nodes in wanted
            if pattern.fullmatch(path) and all(n in layer for n, layer in zip(numbers, place.layers, strict=False))
        ]
        # A module that is called twice is there twice.
        assert all(rates == one for one in found or [[]]), path
        total += len(rates)
    return total


def check_spec(spec: Spec) -> None:
    graph = with_own_rates(with_masks(spec))
    sizes = {name: dim.typical for name, dim in spec.dims.items()}
    source = emit_graph(graph, spec.name, accepted(spec))
    assert check(graph, source, class_name(spec.name), inputs_of(spec.graph, sizes)) > 0


@pytest.mark.parametrize("name", [*FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_a_shipped_spec(name: str) -> None:
    check_spec(load(name, reduced=True))


@pytest.mark.parametrize("name", VARIANTS)
def test_layers_that_run_more_than_once(name: str, tmp_path: Path) -> None:
    check_spec(variant(name, tmp_path))


UNREAD = """
archspec: 1
name: unread
dims: {batch: [1, 2, 4], length: [1, 8, 16]}
inputs: {x: "float[batch, length, 8]"}
graph:
  a: {block: dropout, input: x, rate: 0.1}
  unread: {block: dropout, input: x * 3, rate: 0.2}
  b: {block: attention, query: a, heads: 2, mask: causal, dropout: 0.3}
  c: {block: dropout, input: b, rate: 0.4}
  y: c + a
outputs: {y: "float[batch, length, 8]"}
"""


def test_what_nothing_reads_draws_nothing(tmp_path: Path) -> None:
    (tmp_path / "unread.yaml").write_text(UNREAD)
    spec = load(tmp_path / "unread.yaml")
    check_spec(spec)
    ((place, nodes), *inner) = reversed(list(draws(with_masks(spec))))
    assert (place.path, [rate_of(node) for node in nodes]) == ("", [0.1, 0.4])
    assert [[rate_of(node) for node in one] for _, one in inner] == [[0.3]]


def test_values_without_a_name_are_drawn_in_the_order_of_the_nodes() -> None:
    """The second is the first operand of what reads both, so that it would stand first in one expression."""
    type_ = TensorType.of(DType.FLOAT, axis(2), axis(3))
    x, a, b, y = (Value(name, type_) for name in ("x", "", "", "y"))
    nodes = [
        Node(op=Dropout(rate=0.1), inputs=(x,), outputs=(a,)),
        Node(op=Dropout(rate=0.2), inputs=(x,), outputs=(b,)),
        Node(op=Binary(kind="subtract"), inputs=(b, a), outputs=(y,)),
    ]
    graph = Graph(name="drawn", inputs=(x,), nodes=tuple(nodes), outputs=(y,), output_names=("y",))
    source = emit_graph(graph, "drawn", accepted("gpt2", reduced=True))
    assert check(graph, source, "Drawn", {"x": torch.ones(2, 3)}) == 2
