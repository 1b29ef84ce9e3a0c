"""The weights of a model as its plan stores them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archspec.analyses.parameters import expand
from archspec.ir.graph import Graph, Parameter
from archspec.quantising.rounding import Rounding, suited

if TYPE_CHECKING:
    from torch import Tensor


def stored_tensors(
    graph: Graph, weights: Mapping[str, Tensor], rounding: Rounding = suited
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that a graph stores, by name, one after the other.

    Args:
        graph: the graph, whose parameters say how they are stored.
        weights: the parameters as floats by name; what is not stored as integers is taken as it is.
        rounding: chooses integers and scales.
    """
    for name, parameter in _whole(graph):
        if parameter.stored is None or parameter.scale is None:
            yield name, weights[name]
            continue
        integers, scales = rounding(weights[name], parameter.stored)
        yield name, integers
        # The scales have the name of the parameter with an ending, in whatever layer it is.
        yield f"{name}{parameter.scale.path[len(parameter.path) :]}", scales


def _whole(graph: Graph) -> Iterator[tuple[str, Parameter]]:
    """The parameters and buffers of a graph by name, without scales."""
    found = expand(graph)
    scales = {id(one.scale) for one in found.values() if one.scale is not None}
    return ((name, one) for name, one in found.items() if id(one) not in scales)
