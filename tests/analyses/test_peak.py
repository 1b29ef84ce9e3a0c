"""Peak activations against a simulation that frees each value after its last use."""

from __future__ import annotations

import pytest

from archspec.analyses.cost import BYTES, peak
from archspec.ir.graph import Graph, Value
from archspec.ir.op import Primitive
from archspec.spec import load


def simulated(graph: Graph, sizes: dict[str, int]) -> int:
    """The most bytes alive at one time, kept in a plain set of values."""

    def bytes_of(value: Value) -> int:
        total = BYTES[value.type.dtype]
        for size in value.type.shape:
            total *= size.value(sizes)
        return total

    base: dict[Value, Value] = {value: value for value in graph.inputs}
    most = sum(map(bytes_of, graph.inputs))
    alive = set(graph.inputs)
    for number, node in enumerate(graph.nodes):
        is_view = isinstance(node.op, Primitive) and node.op.view
        base.update({value: base[node.inputs[0]] if is_view else value for value in node.outputs})
        alive |= {base[value] for value in node.outputs}
        most = max(most, sum(map(bytes_of, alive)))
        around = alive - {base[value] for value in (*node.inputs, *node.outputs)}
        for region in node.regions:
            most = max(most, sum(map(bytes_of, around)) + simulated(region, sizes))
        alive &= used_after(graph, number, base)
    return most


def used_after(graph: Graph, number: int, base: dict[Value, Value]) -> set[Value]:
    """Memory that a later node, a view of it, or the caller reads."""
    owners = dict(base)
    found: set[Value] = set()
    for node in graph.nodes[number + 1 :]:
        found |= {owners[value] for value in node.inputs}
        is_view = isinstance(node.op, Primitive) and node.op.view
        owners.update({value: owners[node.inputs[0]] if is_view else value for value in node.outputs})
    return found | {owners[value] for value in graph.outputs}


@pytest.mark.parametrize("name", ["transformer-base", "vit-b16", "gpt2", "minilm-l6"])
def test_the_largest_formula_is_the_peak_at_the_typical_and_the_largest_sizes(name: str) -> None:
    spec = load(name)
    formulas = peak(spec.graph)
    for at in ("typical", "max"):
        sizes = {dim: getattr(symbol, at) for dim, symbol in spec.dims.items()}
        assert max(formula.value(sizes) for formula in formulas) == simulated(spec.graph, sizes)
