"""Where no gradient comes to a hook although one does at the same place in later layers: constants enter the first."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.gradients import sends
from archspec.analyses.sharding.passing import LayerWalk, Passed, Passes
from archspec.analyses.sharding.wiring import WiredGraph
from archspec.ir.graph import Graph, Node
from archspec.ir.types import DType


def untrained(graph: Graph, wiring: WiredGraph, boundaries: Boundaries, received: int) -> Passes:
    """How often values pass hooks that depend on nothing trained, layer by layer.

    Repeated layers share one body, in which a value has a gradient if it has one in any layer. A constant that enters
    the first layer, as DETR's queries, has none there, nor has an input of the model; a float of the first `received`
    inputs, which come from a stage before, has one.
    """
    walk = _Walk(wiring, boundaries)
    inputs = enumerate(graph.inputs)
    walk.whole(graph, [number < received and value.type.dtype is DType.FLOAT for number, value in inputs])
    return walk.found


class _Walk(LayerWalk[bool]):
    """Whether values depend on something trained."""

    def __init__(self, wiring: WiredGraph, boundaries: Boundaries) -> None:
        super().__init__(boundaries)
        self.ops = {wired.node: wired for wired in wiring.ops}
        self.found = Passes()

    def primitive(self, node: Node, given: Sequence[bool]) -> list[bool]:
        """Floats that depend on an operand or a parameter which is trained."""
        operands, parameters = sends(self.ops[node])
        made = any(given[k] for k in operands) or any(
            node.parameters[name].trainable and not node.parameters[name].buffer for name in parameters
        )
        return [made and value.type.dtype is DType.FLOAT for value in node.outputs]

    def passed(self, one: Passed, known: bool) -> None:
        """Count what is not trained."""
        if not known:
            self.found[one] += 1

    def either(self, left: bool, right: bool) -> bool:
        """A stack is trained if a part of it is."""
        return left or right
