"""Affinity: which values are affine maps of a source, with coefficients that no input changes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from archspec.analyses.forward import Forward
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive


class Affinity(IntEnum):
    """How a value depends on the inputs: on none, on others than the source alone, affinely on it, or in another way.

    An affine map may have an offset that other inputs change.
    """

    FIXED = 0
    OTHER = 1
    AFFINE = 2
    LOST = 3


class Affinities(Forward[Affinity]):
    """How the values of a graph depend on one of them, `source`; `lost` are the nodes where it is no longer affine.

    The reasons are by node, in the order of the graph.
    """

    def __init__(self, graph: Graph, source: Value) -> None:
        super().__init__()
        self.source = source
        self.lost: dict[Node, str] = {}
        self.facts.update((value, Affinity.OTHER) for value in graph.inputs)
        if source in self.facts:
            self.facts[source] = Affinity.AFFINE
        self.run(graph.nodes)

    def primitive(self, node: Node, operands: Sequence[Affinity]) -> Sequence[Affinity]:
        """By what the op says of its coefficients."""
        assert isinstance(node.op, Primitive)
        read = ([k for k, one in enumerate(row) if one.atoms] for row in node.reads)
        return [self._result(node, node.op, operands, row) for row in read]

    def given(self, value: Value, fact: Affinity) -> Affinity:
        """The source is an affine map of itself."""
        return Affinity.AFFINE if value is self.source else fact

    def _result(self, node: Node, op: Primitive, operands: Sequence[Affinity], read: Sequence[int]) -> Affinity:
        # Operands that are not read do not count, whatever they depend on.
        most = max((operands[k] for k in read), default=Affinity.FIXED)
        if most is not Affinity.AFFINE:
            return most
        told = op.coefficients([value.type for value in node.inputs])
        if told is None:
            return self._lose(node, "does not say how its result depends on what it reads")
        for k in (k for k in read if operands[k] is Affinity.AFFINE):
            if k in told[k]:
                return self._lose(node, "is not affine in what it reads")
            if any(operands[other] is not Affinity.FIXED for other in told[k]):
                return self._lose(node, "weighs what it reads by another value that depends on the input")
        return Affinity.AFFINE

    def _lose(self, node: Node, reason: str) -> Affinity:
        self.lost.setdefault(node, reason)
        return Affinity.LOST

    def other(self, node: Node, operands: Sequence[Affinity]) -> Affinity:
        """Lost, where it reads the source."""
        most = max(operands, default=Affinity.FIXED)
        return self._lose(node, "is not known to be affine") if most is Affinity.AFFINE else most

    def joined(self, left: Affinity, right: Affinity) -> Affinity:
        """The worse."""
        return max(left, right)
