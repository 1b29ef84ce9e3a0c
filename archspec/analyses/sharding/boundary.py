"""Where the emitted module lets a value be converted: hooks stand on modules, since `forward` is not changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from archspec.ir.graph import Node
from archspec.record import record

Side = Literal["input", "output", "lookup"]


@record
class Boundary:
    """A value that enters or leaves the `forward` of a module, or that it looks up in a table of its own.

    Fields:
        module: the path of the module, with `*` for the number of a layer; "" for the whole model.
        side: whether the value is an argument or a result of `forward`, or rows of a table of the module.
        number: its number among the arguments or the results that `forward` has in the emitted file; 0 for a lookup.
        name: the name of the argument in the emitted file or of the table in the module, "" for a result.
        layers: the layer numbers that each `*` of the path runs over, outermost first.
    """

    module: str
    side: Side
    number: int
    name: str = ""
    layers: tuple[tuple[int, ...], ...] = ()

    def on_layers(self, layers: tuple[int, ...]) -> Boundary:
        """The same at some of the layers of the innermost list alone."""
        return replace(self, layers=(*self.layers[:-1], layers))


@record(kw_only=False)
class Crossing:
    """A value of a graph at the edge of a node: operand or output `number` of `node`.

    For repeated layers `region` is the number of the body that takes the operand or gives the output, and `number` that
    of the body's input or output; it is 0 for calls and primitives. `node` is None for inputs and outputs of the graph.
    """

    node: Node | None
    side: Side
    number: int
    region: int = 0


Boundaries = Mapping[Crossing, Boundary]
"""The crossings at which a hook may stand; where two nodes call one module, both have the same boundary."""
