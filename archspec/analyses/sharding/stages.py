"""A pipeline: consecutive parts of the model with FLOPs as equal as can be, of which each computes something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.analyses.cost import flops, node_flops
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType, TensorType
from archspec.record import record


@record
class Unit:
    """A part of the model that is not cut: a layer, or a node outside of repeated layers.

    `alive` are the types of the values that are made before its end and used after it.
    """

    path: str
    flops: Dim
    is_layer: bool
    alive: tuple[TensorType, ...]

    @property
    def passed_on(self) -> int:
        """Elements of the floats that are alive, at the typical dims."""
        return sum(one.elements().typical() for one in self.alive if one.dtype is DType.FLOAT)


@record
class PipelineStage:
    """One stage of a pipeline: its units, and its FLOPs at the typical dims."""

    units: tuple[Unit, ...]
    flops: int


def stages(graph: Graph, count: int) -> list[PipelineStage] | None:
    """Stages of which the largest has the fewest FLOPs at the typical dims, and the others are as equal as can be.

    Units without FLOPs, such as norms, are no stage of their own: a stage ends where the least is passed on. None if
    there are fewer units with FLOPs than stages.
    """
    found = list(units(graph))
    costs = [unit.flops.typical() for unit in found]
    computing = [number for number, cost in enumerate(costs) if cost]
    if count == 1 or not computing:
        return [PipelineStage(units=tuple(found), flops=sum(costs))] if count == 1 else None
    if len(computing) < count:
        return None
    made, start = [], 0
    for end in _ends([costs[number] for number in computing], count):
        # Anywhere after the last unit of the stage that computes, and before the first one of the next.
        places = range(computing[end - 1] + 1, computing[end] + 1) if end < len(computing) else [len(found)]
        stop = min(places, key=lambda place: (found[place - 1].passed_on, place))
        made.append(PipelineStage(units=tuple(found[start:stop]), flops=sum(costs[start:stop])))
        start = stop
    return made


def parts_that_compute(graph: Graph) -> str:
    """What stages may be made of, in words: `12 layers and 1 part beside them`."""
    found = [unit for unit in units(graph) if unit.flops.typical()]
    if not found:
        return "nothing that computes"
    layers = sum(unit.is_layer for unit in found)
    others = len(found) - layers
    named = f"{layers} layer{'' if layers == 1 else 's'}"
    beside = f"{others} part{'' if others == 1 else 's'} beside them"
    return f"{named} and {beside}" if others else named


def units(graph: Graph) -> Iterator[Unit]:
    """The units of a graph in the order in which they run."""
    yield from _body(graph, ())


def _body(graph: Graph, around: tuple[TensorType, ...]) -> Iterator[Unit]:
    """The units of a body; `around` is what is alive around it."""
    for number, node in enumerate(graph.nodes):
        alive = (*around, *(value.type for value in _alive(graph, number, node)))
        if isinstance(node.op, Call) and any(isinstance(inner.op, Repeat) for inner in node.regions[0].walk()):
            yield from _body(node.regions[0], alive)
        elif isinstance(node.op, Repeat):
            yield from _layers(node, node.op, alive)
        else:
            made = tuple(y.type for y in node.outputs if _is_used_after(graph, number, y))
            yield Unit(path=node.path or node.op.name, flops=node_flops(node), is_layer=False, alive=(*alive, *made))


def _layers(node: Node, op: Repeat, alive: tuple[TensorType, ...]) -> Iterator[Unit]:
    costs = [flops(region) for region in node.regions]
    captured = tuple(value.type for value in dict.fromkeys(node.inputs[1:]))
    for layer, body in enumerate(op.schedule):
        last = layer == len(op.schedule) - 1
        handed = (*alive, node.outputs[0].type, *(() if last else captured))
        yield Unit(path=f"{op.module}.{layer}", flops=costs[body], is_layer=True, alive=handed)


def _alive(graph: Graph, number: int, node: Node) -> Iterator[Value]:
    """The values that were made before a node, and are used after it."""
    made = (*graph.inputs, *(y for before in graph.nodes[:number] for y in before.outputs))
    return (value for value in made if value not in node.outputs and _is_used_after(graph, number, value))


def _is_used_after(graph: Graph, number: int, value: Value) -> bool:
    later = {id(node) for node in graph.nodes[number + 1 :]}
    return any(use.node is None or id(use.node) in later for use in graph.uses(value))


def _ends(costs: Sequence[int], count: int) -> list[int]:
    """Where `count` consecutive parts end whose largest cost is least, and the sum of whose squares is least then."""
    most = _least(costs, count)
    sums = [0]
    for cost in costs:
        sums.append(sums[-1] + cost)
    # By the number of parts and where they end: the sum of squares, and where the last part begins.
    best: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]
    for part in range(1, count + 1):
        found: dict[int, tuple[int, int]] = {}
        for start, (before, _) in best[-1].items():
            end = start + 1
            while end <= len(costs) - (count - part) and (own := sums[end] - sums[start]) <= most:
                found[end] = min(found.get(end, (before + own**2, start)), (before + own**2, start))
                end += 1
        best.append(found)
    ends = [len(costs)]
    for parts in reversed(best[2:]):
        ends.append(parts[ends[-1]][1])
    return ends[::-1]


def _least(costs: Sequence[int], count: int) -> int:
    """The least that the largest of at most `count` consecutive parts can cost."""
    low, high = max(costs), sum(costs)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _filled(costs, middle) <= count else (middle + 1, high)
    return low


def _filled(costs: Sequence[int], most: int) -> int:
    """How many parts there are if they are filled one after the other up to `most`."""
    count, total = 1, 0
    for cost in costs:
        if total + cost > most:
            count, total = count + 1, 0
        total += cost
    return count
