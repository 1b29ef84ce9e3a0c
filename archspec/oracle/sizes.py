"""Sizes of the dims, read off the shapes of the given arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.ir.graph import Graph

if TYPE_CHECKING:
    from archspec.ir.op import Array


def sizes_of(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, int]:
    """The size of every dim that is by itself an axis of an input; all axes are then checked.

    Raises ValueError that names the input and the axis where shapes disagree with the graph or with each other.
    """
    sizes: dict[str, int] = {}
    axes = [
        (value.name, number, dim, size)
        for value in graph.inputs
        for number, (dim, size) in enumerate(zip(value.type.shape, inputs[value.name].shape, strict=True))
    ]
    for _, _, dim, size in axes:
        # Only an axis that is exactly the dim gives its size; others are checked afterwards.
        (symbol,) = symbols if len(symbols := dim.symbols()) == 1 else (None,)
        if symbol is not None and str(dim) == symbol.name:
            sizes.setdefault(symbol.name, size)
    # An axis with a dim of unknown size cannot be checked: the caller gives such dims separately.
    for name, number, dim, size in axes:
        if all(symbol.name in sizes for symbol in dim.symbols()) and dim.value(sizes) != size:
            wanted = str(dim) if not dim.symbols() else f"{dim} = {dim.value(sizes)}"
            raise ValueError(f"axis {number} of `{name}` has size {size}, expected {wanted}")
    return sizes
