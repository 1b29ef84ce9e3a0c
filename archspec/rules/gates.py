"""Gates: inner values through which an output reads all that some inputs tell it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive


def gates(graph: Graph, sources: Collection[Value], output: Value) -> Iterator[Value]:
    """The values at the top of the graph, in order, that each lie on every way from `sources` to `output`."""
    made = (value for node in graph.nodes for value in node.outputs)
    return (value for value in made if reached_through(graph, sources, output, (value,)))


def reached_through(graph: Graph, sources: Collection[Value], output: Value, at: Collection[Value]) -> bool:
    """Whether every way from `sources` to `output` passes one of the values `at`, of the top of the graph.

    Values inside regions do not count: other ways through the region may go round them.
    """
    return output not in _reached(graph, sources, at)


def _reached(graph: Graph, sources: Collection[Value], shut: Collection[Value]) -> set[Value]:
    """The values of a graph that depend on `sources` by ways that avoid the values `shut`."""
    reached = set(sources)
    for node in graph.nodes:
        operands = [number for number, value in enumerate(node.inputs) if value in reached]
        if operands:
            reached.update(value for value in _dependent(node, operands) if value not in shut)
    return reached


def _dependent(node: Node, operands: Collection[int]) -> Iterator[Value]:
    """The results of a node that depend on the operands with some numbers."""
    match node.op:
        case Primitive():
            # Some operands only give device and precision: nothing is read of them.
            yield from (
                y for y, row in zip(node.outputs, node.reads, strict=True) if any(row[k].atoms for k in operands)
            )
        case Call():
            (region,) = node.regions
            inside = _reached(region, [region.inputs[k] for k in operands], ())
            yield from (y for own, y in zip(region.outputs, node.outputs, strict=True) if own in inside)
        case _:
            yield from node.outputs
