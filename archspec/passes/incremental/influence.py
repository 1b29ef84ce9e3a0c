"""What each value of a graph depends on: the fed inputs, the number of their positions, other inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.passes.incremental.forms import Fed


class Influence(NamedTuple):
    """Whether a value depends on the values fed, on the number of their positions, and on inputs that are not fed."""

    fed: bool = False
    size: bool = False
    given: bool = False

    def __or__(self, other: Influence) -> Influence:
        return Influence(self.fed or other.fed, self.size or other.size, self.given or other.given)

    @property
    def is_late(self) -> bool:
        """Whether the value changes with every step."""
        return self.fed or self.size


class Influences:
    """The influence on every value of a graph and of all its regions."""

    def __init__(self, graph: Graph, fed: Fed) -> None:
        self.fed = fed
        self._of: dict[Value, Influence] = {}
        self._sized: dict[Node, tuple[bool, ...]] = {}
        for value in graph.inputs:
            # Every input with the dim of positions is fed, whichever is named.
            grows = fed.is_in(value.type)
            self._of[value] = Influence(fed=grows, size=grows, given=not grows)
        self._nodes(graph.nodes)

    def of(self, value: Value) -> Influence:
        """What a value of any body depends on."""
        return self._of[value]

    def _nodes(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            match node.op:
                case Primitive():
                    self._primitive(node)
                case Call():
                    self._region(node, [self._of[x] for x in node.inputs])
                    for value, inner in zip(node.outputs, node.regions[0].outputs, strict=True):
                        self._of[value] = self._of[inner]
                case Repeat() as op:
                    self._repeat(node, op)

    def _region(self, node: Node, operands: list[Influence]) -> None:
        for region in node.regions:
            self._of.update(zip(region.inputs, operands, strict=True))
            self._nodes(region.nodes)

    def _repeat(self, node: Node, op: Repeat) -> None:
        """The carried value depends on what any layer adds: found by repetition, as each round only adds."""
        operands = [self._of[x] for x in node.inputs]
        while True:
            self._region(node, operands)
            carried = operands[0]
            for region in node.regions:
                carried = carried | self._of[region.outputs[0]]
            if carried == operands[0]:
                break
            operands[0] = carried
        self._of[node.outputs[0]] = carried
        for tap, value in zip(op.taps, node.outputs[1:], strict=True):
            self._of[value] = self._of[node.regions[op.schedule[tap.layer]].outputs[tap.output]]

    def _primitive(self, node: Node) -> None:
        # Layers are walked until nothing is added, and what a node itself mentions stays the same.
        if node not in self._sized:
            mentions = self.fed.is_in(node.op)
            self._sized[node] = tuple(mentions or self.fed.is_in(value.type) for value in node.outputs)
        for value, sized in zip(node.outputs, self._sized[node], strict=True):
            found = Influence(size=sized)
            for number, operand in enumerate(node.inputs):
                # A relation without atoms is empty: nothing of the operand is read.
                if node.reading(value.index, number).atoms:
                    found = found | self._of[operand]
            self._of[value] = found
