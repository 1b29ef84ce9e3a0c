"""What is exchanged once more in the backward pass, where layers are computed again.

A layer is computed again up to the last op that keeps something for the backward pass; what follows is not needed.
The hooks of the layer itself are outside of what is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing
from archspec.analyses.sharding.gradients import GradientWires, senders
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.record import record


@record(kw_only=False)
class _Passed:
    """A value passes a place where a hook may stand; `layer` is the number of the layer that hands it on, if any."""

    at: Boundary
    type: TensorType
    layer: int | None


_Event = _Passed | None
"""What happens in a layer, in order; None where something is kept for the backward pass."""


class Recomputed:
    """How often values pass hooks once more, if the outermost repeated layers are computed again."""

    def __init__(self, graph: Graph, wiring: WiredGraph, gradients: GradientWires, boundaries: Boundaries) -> None:
        self._boundaries = boundaries
        self._gradients = gradients
        self._ops = {wired.node: wired for wired in wiring.ops}
        self._found: list[tuple[_Passed, int]] = []
        self._graph(graph, 1)

    def count(self, at: Boundary, type_: TensorType) -> int:
        """How often a hook converts a value of a type once more."""
        whole = at.on_layers(())
        own = at.layers[-1] if at.layers else ()
        return sum(
            times
            for passed, times in self._found
            if passed.type == type_
            and (passed.at == at if passed.layer is None else passed.layer in own)
            and passed.at.on_layers(()) == whole
        )

    def _graph(self, graph: Graph, times: int) -> None:
        for node in graph.nodes:
            if isinstance(node.op, Repeat):
                for number, region in enumerate(node.regions):
                    self._layer(region, times * node.op.schedule.count(number))
            else:
                for region in node.regions:
                    self._graph(region, times)

    def _layer(self, region: Graph, times: int) -> None:
        events = list(self._body(region))
        last = max((number for number, event in enumerate(events) if event is None), default=0)
        self._found += [(event, times) for event in events[:last] if event is not None]

    def _body(self, graph: Graph) -> Iterator[_Event]:
        for node in graph.nodes:
            if isinstance(node.op, Repeat):
                for layer, number in enumerate(node.op.schedule):
                    place = node.op.schedule.first(number) if node.op.shared else layer
                    yield from self._region(node, number, place)
            elif isinstance(node.op, Call):
                yield from self._region(node, 0, None)
            else:
                yield from self._passed(node, "input", node.inputs)
                if self._keeps(self._ops[node]):
                    yield None
                yield from self._passed(node, "output", node.outputs)

    def _region(self, node: Node, number: int, layer: int | None) -> Iterator[_Event]:
        region = node.regions[number]
        yield from self._passed(node, "input", region.inputs, number, layer)
        yield from self._body(region)
        yield from self._passed(node, "output", region.outputs, number, layer)

    def _passed(
        self, node: Node, side: str, values: Sequence[Value], region: int = 0, layer: int | None = None
    ) -> Iterator[_Event]:
        for number, value in enumerate(values):
            at = self._boundaries.get(Crossing(node, "input" if side == "input" else "output", number, region))
            if at is not None:
                yield _Passed(at, value.type, layer)

    def _keeps(self, wired: WiredOp) -> bool:
        """Whether an op keeps a tensor of its own for the backward pass in training."""
        if not any(wire in self._gradients.trained for wire in senders(wired)):
            return False
        op = wired.op
        assert isinstance(op, Primitive)
        needs = op.coefficients([x.type for x in wired.node.inputs])
        trained = any(one.trainable and not one.buffer for one in wired.node.parameters.values())
        return op.draws or trained or needs is None or any(needs)
