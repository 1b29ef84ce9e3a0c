"""Where no gradient comes to a hook although one does at the same place in later layers: constants enter the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing, Side
from archspec.analyses.sharding.gradients import sends
from archspec.analyses.sharding.wiring import WiredGraph
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType, TensorType


class Untrained:
    """How often values pass hooks that depend on nothing trained, layer by layer.

    Repeated layers share one body, in which a value has a gradient if it has one in any layer. A constant that enters
    the first layer, as DETR's queries, has none there, nor has an input of the model; what a stage receives has one.
    """

    def __init__(self, graph: Graph, wiring: WiredGraph, boundaries: Boundaries, received: int) -> None:
        self._boundaries = boundaries
        self._ops = {wired.node: wired for wired in wiring.ops}
        self._found: Counter[tuple[Boundary, TensorType, int | None]] = Counter()
        inputs = enumerate(graph.inputs)
        given = [number < received and value.type.dtype is DType.FLOAT for number, value in inputs]
        self._pass(None, "input", graph.inputs, given)
        self._pass(None, "output", graph.outputs, self._run(graph, given))

    def count(self, at: Boundary, type_: TensorType) -> int:
        """How often a hook is passed by a value of a type that depends on nothing trained."""
        own, whole = at.layers[-1] if at.layers else (), at.on_layers(())
        return sum(
            times
            for (passed, passed_type, layer), times in self._found.items()
            if passed_type == type_
            and (passed == at if layer is None else layer in own and passed.on_layers(()) == whole)
        )

    def _run(self, graph: Graph, given: Sequence[bool]) -> list[bool]:
        """Whether each output depends on something trained, if the inputs do so."""
        trained = {value for value, is_trained in zip(graph.inputs, given, strict=True) if is_trained}
        for node in graph.nodes:
            flags = [value in trained for value in node.inputs]
            if isinstance(node.op, Repeat):
                made = self._repeat(node, node.op, flags)
            elif isinstance(node.op, Call):
                made = self._region(node, 0, None, flags)
            else:
                made = self._primitive(node, flags)
            trained.update(value for value, is_trained in zip(node.outputs, made, strict=True) if is_trained)
        return [value in trained for value in graph.outputs]

    def _primitive(self, node: Node, flags: Sequence[bool]) -> list[bool]:
        operands, parameters = sends(self._ops[node])
        made = any(flags[k] for k in operands) or any(
            node.parameters[name].trainable and not node.parameters[name].buffer for name in parameters
        )
        self._pass(node, "input", node.inputs, flags)
        found = [made and value.type.dtype is DType.FLOAT for value in node.outputs]
        self._pass(node, "output", node.outputs, found)
        return found

    def _region(self, node: Node, number: int, layer: int | None, flags: Sequence[bool]) -> list[bool]:
        region = node.regions[number]
        self._pass(node, "input", region.inputs, flags, number, layer)
        found = self._run(region, flags)
        self._pass(node, "output", region.outputs, found, number, layer)
        return found

    def _repeat(self, node: Node, op: Repeat, flags: Sequence[bool]) -> list[bool]:
        made, carried = [False] * len(node.outputs), flags[0]
        for layer, number in enumerate(op.schedule):
            place = op.schedule.first(number) if op.shared else layer
            found = self._region(node, number, place, [carried, *flags[1:]])
            carried = found[0]
            for out, tap in enumerate(op.taps, 1):
                made[out] |= tap.layer == layer and found[tap.output]
            for out, scan in enumerate(op.stacks, 1 + len(op.taps)):
                made[out] |= scan.body == number and scan.output is not None and found[scan.output]
        return [carried, *made[1:]]

    def _pass(
        self,
        node: Node | None,
        side: Side,
        values: Sequence[Value],
        flags: Sequence[bool],
        region: int = 0,
        layer: int | None = None,
    ) -> None:
        for number, (value, is_trained) in enumerate(zip(values, flags, strict=True)):
            at = self._boundaries.get(Crossing(node, side, number, region))
            if at is not None and not is_trained:
                self._found[at, value.type, layer] += 1
