"""The tensors of an architecture by name, as a layout sees them."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph, Parameter
from archspec.ir.types import TensorType
from archspec.layouts.operations import Shape


def shape_of(type: TensorType) -> Shape:
    """The sizes of a parameter. Raises ValueError for one that depends on a run-time size."""
    sizes = [size.constant for size in type.shape]
    fixed = tuple(size for size in sizes if size is not None)
    if len(fixed) != len(sizes):
        raise ValueError(f"{type} has no fixed size")
    return fixed


def parameter_shapes(graph: Graph) -> dict[str, Shape]:
    """Shapes of all that a graph owns, by the names of its module's state dict; a tied tensor stands there once."""
    return {name: shape_of(parameter.type) for name, parameter in expand(graph).items()}


def tied_parameters(graph: Graph) -> frozenset[str]:
    """Names of the parameters that more than one node uses: a head's that is the table's, for example."""
    used = frozenset(_used(graph))
    return frozenset(name for name, parameter in expand(graph).items() if parameter in used)


def _used(graph: Graph) -> Iterator[Parameter]:
    """The parameters that a node uses and another owns."""
    for node in graph.nodes:
        yield from (parameter for local, parameter in node.parameters.items() if local not in node.owned)
        for region in node.regions:
            yield from _used(region)
