"""The parameters of an architecture by name, as a layout refers to them."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph, Parameter
from archspec.ir.storage import SCALE
from archspec.ir.types import TensorType
from archspec.layouts.operations import Shape


def shape_of(type: TensorType) -> Shape:
    """Return the sizes of a parameter. Raises ValueError if one depends on a run-time size."""
    sizes = [size.constant for size in type.shape]
    fixed = tuple(size for size in sizes if size is not None)
    if len(fixed) != len(sizes):
        raise ValueError(f"{type} has no fixed size")
    return fixed


def parameter_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the shapes of all parameters of a graph by their names in the module's state dict.

    A tied parameter is listed once, under its owner's name.
    """
    return {name: shape_of(parameter.type) for name, parameter in expand(graph).items()}


def mapped_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the shapes of what a layout maps: of all but scales, which come of rounding or of a calibration."""
    stored = expand(graph)
    scales = {f"{name}{SCALE}" for name, parameter in stored.items() if parameter.stored is not None}
    scales |= {name for name, parameter in stored.items() if parameter.calibrated}
    return {name: shape_of(parameter.type) for name, parameter in stored.items() if name not in scales}


def tied_parameters(graph: Graph) -> frozenset[str]:
    """Return the names of parameters that another node uses too, such as a table that is also the weight of a head."""
    used = frozenset(_used(graph))
    return frozenset(name for name, parameter in expand(graph).items() if parameter in used)


def _used(graph: Graph) -> Iterator[Parameter]:
    """Yield the parameters that nodes use without owning them."""
    for node in graph.nodes:
        yield from (parameter for local, parameter in node.parameters.items() if local not in node.owned)
        for region in node.regions:
            yield from _used(region)
