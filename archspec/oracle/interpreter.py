"""An interpreter of the IR, the reference that the emitted module, passes and engines are compared with.

It runs the ops' `reference` methods, never their emitted source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.analyses.parameters import numbered
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.oracle.sizes import sizes_of

if TYPE_CHECKING:
    from archspec.ir.op import Array


def interpret(
    graph: Graph,
    inputs: Mapping[str, Array],
    parameters: Mapping[str, Array],
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """Run a graph on arrays.

    Args:
        graph: the graph, with named outputs.
        inputs: arrays by the names of the graph's inputs, floats of any precision.
        parameters: arrays by real name (`states.layers.0.attention.q.weight`).
        sizes: dims that cannot be read off the shape of an input; they override those that can.

    Returns:
        the outputs by name, floats in float64.

    Raises:
        KeyError: for a missing array.
        ValueError: for a shape that does not fit.
    """
    run = Interpretation(parameters, {**sizes_of(graph, inputs), **(sizes or {})})
    arguments = [exact(inputs[value.name]) for value in graph.inputs]
    results = run.graph(graph, arguments, ())
    return dict(zip(graph.output_names, results, strict=True))


def exact(array: Array) -> Array:
    """An array as the interpreter computes with it: floats in float64."""
    import numpy as np

    found = np.asarray(array)
    return found.astype(np.float64, copy=False) if found.dtype.kind == "f" else found


class Interpretation:
    """One evaluation: parameters by real name, and the sizes of the dims.

    `at` are the numbers of the layers being evaluated, outermost first.
    """

    def __init__(self, parameters: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        self.parameters = parameters
        self.sizes = dict(sizes)
        self.at: tuple[int, ...] = ()

    def graph(self, graph: Graph, arguments: list[Array], layers: tuple[int, ...]) -> list[Array]:
        """The outputs of a body.

        `layers` are the layers whose parameters are used, which sharing makes differ from `at`.
        """
        known = dict(zip(graph.inputs, arguments, strict=True))
        for node in graph.nodes:
            known.update(zip(node.outputs, self.made(node, self.node(node, known, layers)), strict=True))
        return [known[value] for value in graph.outputs]

    def made(self, node: Node, results: list[Array]) -> list[Array]:
        """The outputs that a node counts as having given: its own. A subclass that perturbs values overrides this."""
        return results

    def node(self, node: Node, known: Mapping[Value, Array], layers: tuple[int, ...]) -> list[Array]:
        """The outputs of one node. Raises TypeError for an op that is neither a primitive, a call nor a repeat."""
        arguments = [known[value] for value in node.inputs]
        if isinstance(node.op, Call):
            return self.graph(node.regions[0], arguments, layers)
        if isinstance(node.op, Repeat):
            return self.repeat(node.op, node.regions, arguments, layers)
        if not isinstance(node.op, Primitive):
            raise TypeError(f"{node.op.name} cannot be interpreted")
        return list(node.op.reference(arguments, self.of(node, layers), self.sizes))

    def of(self, node: Node, layers: tuple[int, ...]) -> dict[str, Array]:
        """The arrays of a node's parameters, by the op's own names."""
        return {local: self.value(parameter, layers) for local, parameter in node.parameters.items()}

    def value(self, parameter: Parameter, layers: tuple[int, ...]) -> Array:
        """The array of a parameter; one that is stored as integers is computed from them."""
        stored = exact(self.parameters[numbered(parameter.path, layers)])
        if parameter.stored is None or parameter.scale is None:
            return stored
        return parameter.stored.values(stored, exact(self.parameters[numbered(parameter.scale.path, layers)]))

    def repeat(
        self, op: Repeat, regions: tuple[Graph, ...], arguments: list[Array], layers: tuple[int, ...]
    ) -> list[Array]:
        """The last carried value, the tapped outputs and the stacked outputs of repeated layers."""
        import numpy as np

        carried = arguments[0]
        taken: dict[tuple[int, int], Array] = {}
        outer, around = self.sizes.get("layer"), self.at
        for layer, body in enumerate(op.schedule):
            self.sizes["layer"], self.at = layer, (*around, layer)
            captured = arguments[1:]
            for operand, of in op.stacked.items():
                # Bodies of other kinds read nothing of it.
                captured[operand - 1] = arguments[operand][op.schedule.layers(of).index(layer) if of == body else 0]
            results = self.graph(regions[body], [carried, *captured], (*layers, op.holder(layer)))
            carried = results[0]
            taken.update({(layer, number): result for number, result in enumerate(results)})
        self.at = around
        # Inside nested repeats, `layer` is the number in the innermost one; it is restored for the outer body.
        if outer is not None:
            self.sizes["layer"] = outer
        stacks = [np.stack([taken[n, s.output or 0] for n in op.schedule.layers(s.body)]) for s in op.stacks]
        return [carried, *(taken[tap.layer, tap.output] for tap in op.taps), *stacks]
