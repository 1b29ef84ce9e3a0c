"""A walk over a graph as its module runs, layer by layer: which values pass the places where hooks may stand.

Repeated layers share one body in the graph, but hooks may stand on some of the layers alone, and what is known of a
value may differ from layer to layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing, Side
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.record import record

Known = TypeVar("Known")
"""What is known of a value."""


@record(kw_only=False)
class Passed:
    """A value passes a place where a hook may stand; `layer` is the number of the layer that hands it on, if any."""

    at: Boundary
    type: TensorType
    layer: int | None


class Passes(Counter[Passed]):
    """How often values pass."""

    def at(self, hook: Boundary, type_: TensorType) -> int:
        """How often a hook is passed by a value of a type, in the layers on which it stands."""
        own, whole = hook.layers[-1] if hook.layers else (), hook.on_layers(())
        return sum(
            times
            for one, times in self.items()
            if one.type == type_
            and (one.at == hook if one.layer is None else one.layer in own and one.at.on_layers(()) == whole)
        )


class LayerWalk(ABC, Generic[Known]):
    """Runs a graph with what is known of its values."""

    def __init__(self, boundaries: Boundaries) -> None:
        self._boundaries = boundaries

    @abstractmethod
    def primitive(self, node: Node, given: Sequence[Known]) -> Sequence[Known]:
        """What is known of the outputs of a primitive."""

    @abstractmethod
    def passed(self, one: Passed, known: Known) -> None:
        """A value passes a place where a hook may stand."""

    @abstractmethod
    def either(self, left: Known, right: Known) -> Known:
        """What is known of a value that has something of both."""

    def whole(self, graph: Graph, given: Sequence[Known]) -> None:
        """Run the graph of a model or a stage."""
        self._pass(None, "input", graph.inputs, given)
        self._pass(None, "output", graph.outputs, self.run(graph, given))

    def run(self, graph: Graph, given: Sequence[Known]) -> list[Known]:
        """Run a body; returns what is known of its outputs."""
        known = dict(zip(graph.inputs, given, strict=True))
        for node in graph.nodes:
            operands = [known[value] for value in node.inputs]
            known.update(zip(node.outputs, self._node(node, operands), strict=True))
        return [known[value] for value in graph.outputs]

    def layer(self, node: Node, region: Graph, given: Sequence[Known]) -> list[Known]:
        """Run one layer, between its own hooks."""
        return self.run(region, given)

    def _node(self, node: Node, given: Sequence[Known]) -> Sequence[Known]:
        if isinstance(node.op, Repeat):
            return self._repeat(node, node.op, given)
        if isinstance(node.op, Call):
            self._pass(node, "input", node.regions[0].inputs, given)
            made = self.run(node.regions[0], given)
            self._pass(node, "output", node.regions[0].outputs, made)
            return made
        self._pass(node, "input", node.inputs, given)
        results = self.primitive(node, given)
        self._pass(node, "output", node.outputs, results)
        return results

    def _repeat(self, node: Node, op: Repeat, given: Sequence[Known]) -> list[Known]:
        carried = given[0]
        taps: dict[int, Known] = {}
        stacks: dict[int, Known] = {}
        for layer, number in enumerate(op.schedule):
            region, own = node.regions[number], [carried, *given[1:]]
            self._pass(node, "input", region.inputs, own, number, op.holder(layer))
            made = self.layer(node, region, own)
            self._pass(node, "output", region.outputs, made, number, op.holder(layer))
            carried = made[0]
            taps |= {out: made[tap.output] for out, tap in enumerate(op.taps) if tap.layer == layer}
            for out, scan in enumerate(op.stacks):
                if scan.body == number and scan.output is not None:
                    part = made[scan.output]
                    stacks[out] = self.either(stacks[out], part) if out in stacks else part
        # What no layer gives is never read.
        some = (
            found.get(out, carried)
            for found, count in ((taps, len(op.taps)), (stacks, len(op.stacks)))
            for out in range(count)
        )
        return [carried, *some]

    def _pass(
        self,
        node: Node | None,
        side: Side,
        values: Sequence[Value],
        known: Sequence[Known],
        region: int = 0,
        layer: int | None = None,
    ) -> None:
        for number, (value, own) in enumerate(zip(values, known, strict=True)):
            at = self._boundaries.get(Crossing(node, side, number, region))
            if at is not None:
                self.passed(Passed(at, value.type, layer), own)
