"""Which modules of an emitted file draw random numbers in training, and for which nodes, in order."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.repeat import Repeat
from archspec.lower.region import lowered
from archspec.parallel.patterns import LayerPlace

Layers = tuple[tuple[int, ...], ...]


def draws(graph: Graph) -> Iterator[tuple[LayerPlace, list[Node]]]:
    """Every module whose own code draws, with the nodes for which it does, in order.

    Args:
        graph: the graph as it is emitted.

    Raises:
        LoweringError: if a module cannot express the graph.
    """
    lowering, _ = lowered(graph)
    yield from _in_body(graph, lowering.drawing, "", ())


def _in_body(graph: Graph, drawing: set[Node], module: str, layers: Layers) -> Iterator[tuple[LayerPlace, list[Node]]]:
    own = [node for node in graph.nodes if node in drawing]
    for node in graph.nodes:
        for number, region in enumerate(node.regions):
            if isinstance(node.op, Repeat):
                inner = (*layers, node.op.holders(number))
                yield from _in_body(region, drawing, f"{node.op.module}.*", inner)
            elif isinstance(node.op, Call):
                yield from _in_body(region, drawing, node.op.module, layers)
    if own:
        yield LayerPlace(module, layers), own
