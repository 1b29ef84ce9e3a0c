"""A walk over a graph that carries a fact about every value from its operands, through modules and layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat

Fact = TypeVar("Fact")


class Forward(ABC, Generic[Fact]):
    """Facts about the values of a graph. What layers hand on is joined over all layers, until it stays the same."""

    def __init__(self) -> None:
        self.facts: dict[Value, Fact] = {}

    @abstractmethod
    def primitive(self, node: Node, operands: Sequence[Fact]) -> Sequence[Fact]:
        """The facts about the outputs of a primitive."""

    @abstractmethod
    def other(self, node: Node, operands: Sequence[Fact]) -> Fact:
        """The fact about every output of an op of another sort, of which nothing is known."""

    @abstractmethod
    def joined(self, left: Fact, right: Fact) -> Fact:
        """What holds of a value that is one of two; joins must end."""

    def given(self, value: Value, fact: Fact) -> Fact:
        """The fact about a value that a node makes, where it is not that of the node."""
        return fact

    def run(self, nodes: Iterable[Node]) -> None:
        """Walk over nodes in order; the facts about what they read are known."""
        for node in nodes:
            for value, fact in zip(node.outputs, self._node(node), strict=True):
                self.facts[value] = self.given(value, fact)

    def _node(self, node: Node) -> Sequence[Fact]:
        operands = [self.facts[value] for value in node.inputs]
        match node.op:
            case Call():
                return self._region(node.regions[0], operands)
            case Repeat():
                return self._repeat(node, node.op, operands)
            case Primitive():
                return self.primitive(node, operands)
            case _:
                return [self.other(node, operands) for _ in node.outputs]

    def _region(self, region: Graph, operands: Sequence[Fact]) -> list[Fact]:
        self.facts.update(zip(region.inputs, operands, strict=True))
        self.run(region.nodes)
        return [self.facts[value] for value in region.outputs]

    def _repeat(self, node: Node, op: Repeat, operands: Sequence[Fact]) -> list[Fact]:
        carried, captured = operands[0], operands[1:]
        while True:
            # Joins only widen facts, of which there are finitely many, so that the loop ends.
            before, given = carried, []
            for region in node.regions:
                given.append(self._region(region, [carried, *captured]))
                carried = self.joined(carried, given[-1][0])
            if carried == before:
                break
        taps = (given[op.schedule[tap.layer]][tap.output] for tap in op.taps)
        return [carried, *taps, *(given[one.body][one.output or 0] for one in op.stacks)]
