"""A graph in one body: modules that hold layers are opened, and layers are cut where a stage of a pipeline ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NoReturn

from archspec.diagnostics import fail
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat, Schedule, Tap
from archspec.ir.rewriter import remade

_DRAWING = frozenset({"dropout", "drop_path"})


class OpenedGraph:
    """The nodes of a graph in order, each with its stage.

    `first_layers` are the numbers of the layers that repeated nodes begin with, `free` the values that depend on no
    parameter.
    """

    def __init__(self, graph: Graph, stages: Sequence[int]) -> None:
        """Open a graph whose units run in the given stages.

        Raises:
            SpecError: E920 for layers that cannot be cut.
        """
        self.graph = graph
        self.nodes: list[tuple[int, Node]] = []
        self.first_layers: dict[Node, int] = {}
        self._stages = iter(stages)
        self._now: dict[Value, Value] = {}
        self._parts: dict[str, list[int]] = {}
        self._open(graph)
        self.outputs = [self._value(value) for value in graph.outputs]
        self.free = frozenset(self._free())

    def _value(self, value: Value) -> Value:
        return self._now.get(value, value)

    def _open(self, body: Graph) -> None:
        for node in body.nodes:
            inputs = [self._value(value) for value in node.inputs]
            if isinstance(node.op, Call) and _has_layers(node.regions[0]):
                region = node.regions[0]
                self._now.update(zip(region.inputs, inputs, strict=True))
                self._open(region)
                outputs = [self._value(value) for value in region.outputs]
            elif isinstance(node.op, Repeat):
                outputs = self._cut(node, node.op, inputs)
            else:
                self.nodes.append((next(self._stages), remade(node, inputs=inputs)))
                outputs = list(self.nodes[-1][1].outputs)
            self._now.update(zip(node.outputs, outputs, strict=True))

    def _cut(self, node: Node, op: Repeat, inputs: Sequence[Value]) -> list[Value]:
        """Cut repeated layers; returns what stands for the outputs of the node."""
        placed = [(next(self._stages), layer) for layer in range(len(op.schedule))]
        groups = [(stage, [layer for _, layer in group]) for stage, group in groupby(placed, lambda one: one[0])]
        self._check(node, op, len(groups))
        carried, tapped = inputs[0], dict[Tap, Value]()
        for stage, layers in groups:
            # Layers that are not cut stay as they are, with what they stack.
            made = _some_layers(node, op, layers, [carried, *inputs[1:]]) if groups[1:] else remade(node, inputs=inputs)
            self.nodes.append((stage, made))
            self.first_layers[made] = layers[0]
            if not groups[1:]:
                return list(made.outputs)
            carried, *rest = made.outputs
            tapped.update(zip((tap for tap in op.taps if tap.layer in layers), rest, strict=True))
        return [carried, *(tapped[tap] for tap in op.taps)]

    def _check(self, node: Node, op: Repeat, parts: int) -> None:
        """Raise E920 for layers that are cut and do not run one after the other alone."""
        runs = self._parts.setdefault(op.module, [])
        runs.append(parts)
        if len(runs) > 1 and max(runs) > 1:
            _refuse(node, op, "its layers run more than once")
        if parts > 1 and op.scans:
            _refuse(node, op, "its layers stack values")
        if parts > 1 and op.shared and len(op.kinds) > 1:
            _refuse(node, op, "its layers share parameters, and are of several kinds")

    def _free(self) -> Iterator[Value]:
        """The values that depend on the inputs of the model alone, and on sizes."""
        found = set(self.graph.inputs)
        yield from found
        for _, node in self.nodes:
            # What an op draws in training must not be drawn twice.
            again = isinstance(node.op, Primitive) and not node.parameters and node.op.name not in _DRAWING
            if again and found.issuperset(node.inputs[number] for number in operands_read(node)):
                found.update(node.outputs)
                yield from node.outputs


def operands_read(node: Node) -> frozenset[int]:
    """The operands whose entries a node reads; of the others it takes sizes alone."""
    if not isinstance(node.op, Primitive):
        return frozenset(range(len(node.inputs)))
    return frozenset(k for row in node.reads for k, relation in enumerate(row) if relation.atoms)


def _has_layers(graph: Graph) -> bool:
    return any(isinstance(node.op, Repeat) for node in graph.walk())


def _some_layers(node: Node, op: Repeat, layers: Sequence[int], inputs: Sequence[Value]) -> Node:
    """Consecutive layers of a stack as a stack of their own."""
    taps = [(number, tap) for number, tap in enumerate(op.taps, 1) if tap.layer in layers]
    kinds = [op.schedule[layer] for layer in layers]
    alike = len(set(kinds)) == 1
    schedule = Schedule(repeat=(kinds[0],), times=len(kinds)) if alike else Schedule(repeat=tuple(kinds), times=1)
    kept = [0, *(number for number, _ in taps)]
    part = replace(
        op,
        schedule=schedule,
        results=tuple(op.results[number] for number in kept),
        taps=tuple(replace(tap, layer=tap.layer - layers[0]) for _, tap in taps),
    )
    outputs = tuple(Value(node.outputs[number].name, node.outputs[number].type) for number in kept)
    return replace(node, op=part, inputs=tuple(inputs), outputs=outputs)


def _refuse(node: Node, op: Repeat, why: str) -> NoReturn:
    help = "give a number of stages with which these layers are all in one, or none"
    fail("E920", f"`{op.module}` cannot be cut into stages: {why}", node.span, "cut here", help=help)
