"""Which layers the parts of a stack belong to."""

from __future__ import annotations

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Value
from archspec.ir.repeat import Repeat


def layers_of(graph: Graph, name: str) -> list[int]:
    """Return the numbers of the layers that take parts of an input in turn; none where it is no stack."""
    (value,) = (value for value in graph.inputs if value.name == name)
    return _layers(graph, value)


def _layers(graph: Graph, value: Value) -> list[int]:
    for node in graph.nodes:
        for number, operand in enumerate(node.inputs):
            if operand is not value:
                continue
            match node.op:
                case Call():
                    found = _layers(node.regions[0], node.regions[0].inputs[number])
                case Repeat() as op:
                    found = op.schedule.layers(op.stacked[number]) if number in op.stacked else []
                case _:
                    found = []
            if found:
                return found
    return []
