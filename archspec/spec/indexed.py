"""Find what integer inputs index: even without a declared bound, the indexed tables and axes limit their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archspec.algebra.dim import Dim
from archspec.ir.graph import Graph, Value
from archspec.ir.op import Primitive

_Sources = dict[Value, frozenset[str]]


def indexed(graph: Graph) -> Mapping[str, tuple[Dim, ...]]:
    """By input name, the sizes of the tables and axes that an integer input indexes, if it indexes any.

    An integer value computed from an input is treated as if it were the input itself.
    """
    sources = {value: frozenset({value.name}) for value in graph.inputs if value.type.dtype.is_integer}
    found: dict[str, dict[Dim, None]] = {}
    for name, size in _of(graph, sources):
        found.setdefault(name, {})[size] = None
    return {name: tuple(sizes) for name, sizes in found.items()}


def fitting(sizes: Sequence[Dim], at: Mapping[str, int], otherwise: int) -> int:
    """The number of values valid for every indexed size, at the sizes `at` of the dims; at most `otherwise`."""
    return min([otherwise, *(size.value(at) for size in sizes)])


def _of(graph: Graph, sources: _Sources) -> Iterator[tuple[str, Dim]]:
    """Each input with a size that it indexes, in a graph and its regions.

    `sources` gives the inputs from which each integer value is computed; values of the graph are added to it.
    """
    for node in graph.nodes:
        if isinstance(node.op, Primitive):
            for operand, size in node.op.indexes([value.type for value in node.inputs]).items():
                yield from ((name, size) for name in sources.get(node.inputs[operand], ()))
        for region in node.regions:
            handed = zip(region.inputs, node.inputs, strict=True)
            yield from _of(region, {inner: sources[outer] for inner, outer in handed if outer in sources})
        read = frozenset(name for value in node.inputs for name in sources.get(value, ()))
        sources.update({value: read for value in node.outputs if read and value.type.dtype.is_integer})
