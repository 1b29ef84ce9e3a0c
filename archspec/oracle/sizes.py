"""Sizes of the dims, read off the shapes of the given arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    from archspec.ir.op import Array


def sizes_of(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, int]:
    """The size of every dim that is by itself an axis of an input, or a multiple as `32*rows`; all are then checked.

    Raises ValueError that names the input and the axis where shapes disagree with the graph or with each other.
    """
    sizes: dict[str, int] = {}
    axes = [
        (value.name, number, dim, size)
        for value in graph.inputs
        for number, (dim, size) in enumerate(zip(value.type.shape, inputs[value.name].shape, strict=True))
    ]
    found = [(symbol, factor, size) for _, _, dim, size in axes for symbol, factor in _multiples(dim)]
    # An axis that is exactly the dim comes first; one of no whole number of them fails the check.
    for symbol, factor, size in sorted(found, key=lambda one: one[1]):
        sizes.setdefault(symbol.name, size // factor)
    # An axis with a dim of unknown size cannot be checked: the caller gives such dims separately.
    for name, number, dim, size in axes:
        if all(symbol.name in sizes for symbol in dim.symbols()) and dim.value(sizes) != size:
            wanted = str(dim) if not dim.symbols() else f"{dim} = {dim.value(sizes)}"
            raise ValueError(f"axis {number} of `{name}` has size {size}, expected {wanted}")
    return sizes


def _multiples(dim: Dim) -> Iterator[tuple[Symbol, int]]:
    """The dim of which an axis is a fixed multiple, and how often, if there is one."""
    for symbol in dim.symbols() if len(dim.symbols()) == 1 else ():
        factor = dim.value({symbol.name: symbol.multiple}) // symbol.multiple
        if factor > 0 and dim == factor * Dim.of(symbol):
            yield symbol, factor
