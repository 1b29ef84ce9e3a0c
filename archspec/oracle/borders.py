"""Numbers half-way between two that they may be rounded to: how much outputs depend on which of the two it is.

A value that is computed in another precision is off by a little, and at such a border rounding makes that a whole step.
Results of two programs that both round are therefore compared on inputs that lead to no such number, or within what
those that there are explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.oracle.interpreter import Interpretation, exact, interpret
from archspec.oracle.sizes import sizes_of
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

NOISE = 5e-7
"""How far float32 may be off, relative to the largest value of a tensor."""
TWICE = 2.0
"""What a border explains may be doubled, since it is not known which of several numbers go which way."""
MOST = 0.2
"""The largest difference that borders may explain, relative to the largest value of an output or to 1."""


@record(eq=False)
class Settled:
    """Outputs by name, and how far each entry moves where what is rounded is off by what float32 may be."""

    outputs: Mapping[str, Array]
    apart: Mapping[str, Array]

    @property
    def farthest(self) -> float:
        """The largest of these movements."""
        return max((float(one.max(initial=0.0)) for one in self.apart.values()), default=0.0)


def settled(
    graph: Graph,
    inputs: Mapping[str, Array],
    parameters: Mapping[str, Array],
    sizes: Mapping[str, int] | None = None,
) -> Settled:
    """Run a graph, and again with everything that is rounded a little larger, and a little smaller.

    Arguments and errors are those of `interpret`.
    """
    import numpy as np

    outputs = interpret(graph, inputs, parameters, sizes)
    apart = {name: np.zeros(one.shape) for name, one in outputs.items()}
    for sign in (1, -1):
        run = _Nudged(parameters, {**sizes_of(graph, inputs), **(sizes or {})}, sign * NOISE)
        results = run.graph(graph, [exact(inputs[value.name]) for value in graph.inputs], ())
        for name, result in zip(graph.output_names, results, strict=True):
            change = np.abs(result.astype(np.float64) - outputs[name].astype(np.float64))
            apart[name] = np.maximum(apart[name], change)
    return Settled(outputs=outputs, apart=apart)


def nudged(graph: Graph, parameters: Mapping[str, Array]) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """A function of inputs that gives outputs of which every entry is as far off as `settled` says."""

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        made = settled(graph, arrays, parameters)
        return {name: one + made.apart[name] for name, one in made.outputs.items()}

    return run


class _Nudged(Interpretation):
    """An evaluation in which all that is rounded is off by a share of its largest value."""

    def __init__(self, parameters: Mapping[str, Array], sizes: Mapping[str, int], noise: float) -> None:
        super().__init__(parameters, sizes)
        self._noise = noise

    def node(self, node: Node, known: Mapping[Value, Array], layers: tuple[int, ...]) -> list[Array]:
        """The outputs of one node."""
        if isinstance(node.op, Primitive) and node.op.rounds:
            import numpy as np

            x = known[node.inputs[0]]
            known = {**known, node.inputs[0]: x + self._noise * np.abs(x).max(initial=0.0)}
        return super().node(node, known, layers)
