"""The graphs of the stages of a pipeline: what each of them runs, and what it sends to the next.

A value that depends on no parameter (masks, positions, tables of angles) is computed in every stage that needs it.
Every other value that a later stage needs is sent from stage to stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from archspec.algebra.dim import Symbol
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import remade
from archspec.ir.verifier import verify
from archspec.lower.emission import sizes_not_given
from archspec.parallel.opened import OpenedGraph, operands_read
from archspec.passes.cut import own_parameters
from archspec.record import record


@record(eq=False)
class StageGraph:
    """The graph of one stage.

    Its first `received` inputs come from the stage before, the others are inputs of the model. `first_layers` gives the
    number in the model of the first layer of each list here.
    """

    graph: Graph
    received: int
    first_layers: Mapping[str, int]

    def name_in_model(self, name: str) -> str:
        """The name in the model of a tensor of the stage."""
        for module, first in self.first_layers.items():
            if name.startswith(f"{module}."):
                number, _, rest = name.removeprefix(f"{module}.").partition(".")
                return f"{module}.{int(number) + first}.{rest}"
        return name


def stage_graphs(graph: Graph, units: Sequence[int]) -> list[StageGraph]:
    """Cut a graph into the stages of a pipeline.

    Args:
        graph: the graph as it is emitted.
        units: how many units each stage runs (see `archspec.analyses.sharding.stages`).

    Raises:
        SpecError: E920 for layers that cannot be cut.
    """
    opened = OpenedGraph(graph, [stage for stage, count in enumerate(units) for _ in range(count)])
    made: list[StageGraph] = []
    outputs, names = opened.outputs, list(graph.output_names)
    for stage in reversed(range(len(units))):
        part = _StagePart(opened, stage, outputs)
        made.append(part.finished(names))
        outputs, names = part.received, part.names
    return made[::-1]


class _StagePart:
    """The nodes of one stage and the values that it receives, found backwards from the values that it gives."""

    def __init__(self, opened: OpenedGraph, stage: int, outputs: Sequence[Value]) -> None:
        self.opened = opened
        self.outputs = outputs
        self.nodes = self._live(stage)
        made = {value for node in self.nodes for value in node.outputs}
        wanted = dict.fromkeys(value for node in self.nodes for value in _read(node))
        known = made.union(opened.graph.inputs)
        self.received = [value for value in self._in_order([*wanted, *outputs]) if value not in known]
        self.stand_ins = dict(self._stand_ins(known))
        self.names = _distinct(self.received, [value.name for value in opened.graph.inputs])

    def _live(self, stage: int) -> list[Node]:
        """The nodes that the outputs need, of those of the stage and of those that every stage can compute."""
        wanted, live = set(self.outputs), list[Node]()
        for own, node in reversed(self.opened.nodes):
            can_run = own == stage or (own < stage and self.opened.free.issuperset(node.outputs))
            if can_run and not wanted.isdisjoint(node.outputs):
                live.append(node)
                wanted.update(_read(node))
        return live[::-1]

    def _in_order(self, values: Iterable[Value]) -> list[Value]:
        """Values in the order in which the model makes them."""
        wanted = set(values)
        every = (*self.opened.graph.inputs, *(value for _, node in self.opened.nodes for value in node.outputs))
        return [value for value in every if value in wanted]

    def _stand_ins(self, known: set[Value]) -> Iterable[tuple[Value, Value]]:
        """Values of the same sizes for those of which a node needs the sizes alone; others are received as well."""
        for node in self.nodes:
            for value in node.inputs:
                if value in known or value in self.received:
                    continue
                alike = (one for one in (*self.received, *self.opened.graph.inputs) if one.type.matches(value.type))
                found = next(alike, None)
                if found is None:
                    self.received.append(value)
                else:
                    yield value, found

    def finished(self, names: Sequence[str]) -> StageGraph:
        """The graph, whose outputs have the given names."""
        now = {value: Value(name, value.type) for value, name in zip(self.received, self.names, strict=True)}
        received = list(now.values())
        now.update((value, now.get(other, other)) for value, other in self.stand_ins.items())
        nodes: list[Node] = []
        for node in self.nodes:
            nodes.append(remade(node, inputs=[now.get(value, value) for value in node.inputs]))
            now.update(zip(node.outputs, nodes[-1].outputs, strict=True))
        outputs = tuple(now.get(value, value) for value in self.outputs)
        body = Graph(
            name=self.opened.graph.name, inputs=(), nodes=tuple(nodes), outputs=outputs, output_names=tuple(names)
        )
        used = [value for value in self.opened.graph.inputs if body.uses(value)]
        graph = own_parameters(replace(body, inputs=(*received, *used)))
        sized = self._inputs_with(sizes_not_given(graph))
        graph = replace(graph, inputs=(*received, *(one for one in self.opened.graph.inputs if one in {*used, *sized})))
        verify(graph)
        return StageGraph(graph=graph, received=len(received), first_layers=dict(self._first_layers()))

    def _inputs_with(self, sizes: Iterable[Symbol]) -> Iterable[Value]:
        """An input of the model for each size that is a part of its shape."""
        for size in sizes:
            yield next(one for one in self.opened.graph.inputs if any(size in dim.symbols() for dim in one.type.shape))

    def _first_layers(self) -> Iterable[tuple[str, int]]:
        for node in self.nodes:
            first = self.opened.first_layers.get(node, 0)
            if isinstance(node.op, Repeat) and first and not node.op.shared:
                yield node.op.module, first


def _read(node: Node) -> list[Value]:
    return [node.inputs[number] for number in sorted(operands_read(node))]


def _distinct(values: Iterable[Value], taken: Iterable[str]) -> list[str]:
    """A name for each value, distinct from those that are taken."""
    used, found = set(taken), list[str]()
    for value in values:
        hint = value.name or "x"
        name, number = hint, 2
        while name in used:
            name, number = f"{hint}_{number}", number + 1
        used.add(name)
        found.append(name)
    return found
