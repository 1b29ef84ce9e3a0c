"""What is exchanged once more in the backward pass, where layers are computed again.

A layer is computed again up to the last op that keeps something for the backward pass; what follows is not needed.
The hooks of the layer itself are outside of what is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence

from archspec.analyses.sharding.boundary import Boundaries
from archspec.analyses.sharding.gradients import GradientWires, senders
from archspec.analyses.sharding.passing import LayerWalk, Passed, Passes
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.ir.graph import Graph, Node


def recomputed(graph: Graph, wiring: WiredGraph, gradients: GradientWires, boundaries: Boundaries) -> Passes:
    """How often values pass hooks once more, if the outermost repeated layers are computed again."""
    walk = _Walk(wiring, gradients, boundaries)
    walk.whole(graph, [None] * len(graph.inputs))
    return walk.found


class _Walk(LayerWalk[None]):
    """What happens in a layer: `since` are the values that passed since the last op that keeps something.

    It is None outside of layers.
    """

    def __init__(self, wiring: WiredGraph, gradients: GradientWires, boundaries: Boundaries) -> None:
        super().__init__(boundaries)
        self.keeping = {wired.node: _keeps(wired, gradients) for wired in wiring.ops}
        self.found = Passes()
        self.since: list[Passed] | None = None

    def layer(self, node: Node, region: Graph, given: Sequence[None]) -> list[None]:
        """Begin with the outermost layer, and leave out what passes after its last op that keeps something."""
        if self.since is not None:
            return self.run(region, given)
        self.since = []
        made = self.run(region, given)
        self.since = None
        return made

    def primitive(self, node: Node, given: Sequence[None]) -> list[None]:
        """An op that keeps something needs all that passed before it."""
        if self.since is not None and self.keeping[node]:
            self.found.update(self.since)
            self.since.clear()
        return [None] * len(node.outputs)

    def passed(self, one: Passed, known: None) -> None:
        """Remember what passes in a layer."""
        if self.since is not None:
            self.since.append(one)

    def either(self, left: None, right: None) -> None:
        """Nothing is known of values."""


def _keeps(wired: WiredOp, gradients: GradientWires) -> bool:
    """Whether an op keeps a tensor of its own for the backward pass in training."""
    if not any(wire in gradients.trained for wire in senders(wired)):
        return False
    needs = wired.op.coefficients([x.type for x in wired.node.inputs])
    trained = any(one.trainable and not one.buffer for one in wired.node.parameters.values())
    return wired.op.draws or trained or needs is None or any(needs)
