"""A quick proof that positions of a leading dim do not mix: every node keeps each row separate."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.algebra.dim import Dim
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.relation.atoms import Relation, equal
from archspec.rules.reads import Reads

_SAME_ROW = equal(0, 0)


def keeps_rows(graph: Graph, reads: Reads, dim: Dim) -> bool:
    """Whether every value that depends on an input led by the dim is led by it too, and reads its own row only.

    A sufficient condition: False only means that the relations must be computed.
    """
    return _Rows(reads, dim).walk(graph.nodes, {value for value in graph.inputs if _leads(value, dim)})


def _leads(value: Value, dim: Dim) -> bool:
    """Whether the first axis of a value is exactly the dim."""
    return bool(value.type.rank) and value.type.axes[0].factors == (dim,)


class _Rows:
    """The walk. `led` are the values that depend on inputs led by the dim; all others depend on none of them."""

    def __init__(self, reads: Reads, dim: Dim) -> None:
        self.reads, self.dim = reads, dim

    def walk(self, nodes: Iterable[Node], led: set[Value]) -> bool:
        """Check nodes in order, adding their outputs to `led`."""
        return all(self._node(node, led) for node in nodes)

    def _node(self, node: Node, led: set[Value]) -> bool:
        """Whether a node keeps rows separate; nodes that read no led value do."""
        if not any(value in led for value in node.inputs):
            return True
        if isinstance(node.op, Primitive):
            return self._primitive(node, led)
        return isinstance(node.op, Call | Repeat) and all(self._region(node, region, led) for region in node.regions)

    def _region(self, node: Node, region: Graph, led: set[Value]) -> bool:
        """Whether every region of a node keeps rows separate, and everything it passes on is led."""
        led |= {inner for inner, outer in zip(region.inputs, node.inputs, strict=True) if outer in led}
        if isinstance(node.op, Repeat):
            # A later layer may carry on a value that depends on the dim though the first one was given none.
            led.add(region.inputs[0])
        if not self.walk(region.nodes, led):
            return False
        led.update(node.outputs)
        return all(_leads(value, self.dim) for value in (*node.outputs, *region.outputs))

    def _primitive(self, node: Node, led: set[Value]) -> bool:
        """Whether every output that reads led values is led, and reads only the same row of each."""
        for value, row in zip(node.outputs, self.reads.of(node), strict=True):
            # An operand that is not led depends on no row, so any of it may be read.
            read = [relation for relation, x in zip(row, node.inputs, strict=True) if x in led and relation.atoms]
            if read and not (_leads(value, self.dim) and all(map(_same_row, read))):
                return False
            if read:
                led.add(value)
        return True


def _same_row(relation: Relation) -> bool:
    """Whether every atom of the relation equates the first coordinates."""
    return all(_SAME_ROW in atom.differences for atom in relation.atoms)
