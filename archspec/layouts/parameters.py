"""The tensors of an architecture by name, as a layout sees them."""

from __future__ import annotations

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph
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
