"""A pipeline: consecutive parts of the model with FLOPs as equal as can be, and what they send to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.analyses.cost import flops, node_flops
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.record import record


@record
class Unit:
    """A part of the model that is not cut: a layer, or a node outside of repeated layers.

    `sends` are the types of what is alive after it; `parameters` are its own, those of a layer with `*` in their paths.
    """

    path: str
    flops: Dim
    sends: tuple[TensorType, ...]
    parameters: frozenset[Parameter]


@record
class PipelineStage:
    """One stage of a pipeline: its units, its FLOPs at the typical dims, and the types of what it sends to the next."""

    units: tuple[Unit, ...]
    flops: int
    sends: tuple[TensorType, ...]


def stages(graph: Graph, count: int) -> list[PipelineStage] | None:
    """Stages whose largest has the fewest FLOPs at the typical dims; None if there are fewer units than stages."""
    found = list(units(graph))
    if len(found) < count:
        return None
    costs = [unit.flops.typical() for unit in found]
    made, start = [], 0
    for end in _ends(costs, count):
        part = found[start:end]
        sends = () if end == len(found) else part[-1].sends
        made.append(PipelineStage(units=tuple(part), flops=sum(costs[start:end]), sends=sends))
        start = end
    return made


def units(graph: Graph) -> Iterator[Unit]:
    """The units of a graph in the order in which they run."""
    yield from _body(graph, ())


def _body(graph: Graph, around: tuple[TensorType, ...]) -> Iterator[Unit]:
    """The units of a body; `around` is what is alive outside it."""
    for number, node in enumerate(graph.nodes):
        alive = (*around, *(value.type for value in _alive(graph, number, node)))
        if isinstance(node.op, Call) and any(isinstance(inner.op, Repeat) for inner in node.regions[0].walk()):
            yield from _body(node.regions[0], alive)
        elif isinstance(node.op, Repeat):
            yield from _layers(node, node.op, alive)
        else:
            sends = (*alive, *(y.type for y in node.outputs if _is_used_after(graph, number, y)))
            yield Unit(
                path=node.path or node.op.name,
                flops=node_flops(node),
                sends=sends,
                parameters=_owned([node], node.regions),
            )


def _layers(node: Node, op: Repeat, alive: tuple[TensorType, ...]) -> Iterator[Unit]:
    costs = [flops(region) for region in node.regions]
    captured = tuple(value.type for value in dict.fromkeys(node.inputs[1:]))
    for layer, body in enumerate(op.schedule):
        last = layer == len(op.schedule) - 1
        sends = (*alive, node.outputs[0].type, *(() if last else captured))
        owned = frozenset() if op.shared and op.schedule.first(body) != layer else _owned([], [node.regions[body]])
        yield Unit(path=f"{op.module}.{layer}", flops=costs[body], sends=tuple(dict.fromkeys(sends)), parameters=owned)


def _owned(nodes: Iterable[Node], regions: Iterable[Graph]) -> frozenset[Parameter]:
    """The parameters that nodes, and those in bodies, declare."""
    every = (*nodes, *(node for region in regions for node in region.walk()))
    return frozenset(node.parameters[name] for node in every for name in node.owned)


def _alive(graph: Graph, number: int, node: Node) -> Iterator[Value]:
    """The values that were made before a node, and are used after it."""
    made = (*graph.inputs, *(y for before in graph.nodes[:number] for y in before.outputs))
    return (value for value in made if value not in node.outputs and _is_used_after(graph, number, value))


def _is_used_after(graph: Graph, number: int, value: Value) -> bool:
    later = {id(node) for node in graph.nodes[number + 1 :]}
    return any(use.node is None or id(use.node) in later for use in graph.uses(value))


def _ends(costs: Sequence[int], count: int) -> list[int]:
    """Where parts end if the largest of `count` consecutive parts is as small as can be."""
    low, high = max(costs), sum(costs)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_filled(costs, middle, count)) <= count else (middle + 1, high)
    return _filled(costs, low, count)


def _filled(costs: Sequence[int], most: int, count: int) -> list[int]:
    """The ends of parts that are filled one after the other up to `most`, each of at least one unit."""
    ends: list[int] = []
    total = 0
    for number, cost in enumerate(costs):
        left = len(costs) - number
        if number and (total + cost > most or left < count - len(ends)):
            ends.append(number)
            total = 0
        total += cost
    return [*ends, len(costs)]
