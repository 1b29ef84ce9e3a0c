"""Ranks that each have their own data: what `fully_shard` leaves a rank of every parameter, and what it exchanges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.collectives import Collective, CollectiveKind, Phase
from archspec.analyses.sharding.plan import Plan, StoredParameter
from archspec.ir.graph import Graph
from archspec.ir.placement import Shard
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType
from archspec.record import record


def data_elements(stored: StoredParameter, ranks: int, data: int) -> int:
    """The elements of one tensor that the first of `data` ranks stores, which share what a tensor rank has of it.

    One axis is cut in equal parts, of which the last are padded or empty, as `fully_shard` does.
    """
    shape = _local_shape(stored, ranks)
    if not shape:
        return 1
    axis = data_axis(stored, ranks, data)
    return -(-shape[axis] // data) * prod(size for number, size in enumerate(shape) if number != axis)


def data_axis(stored: StoredParameter, ranks: int, data: int) -> int:
    """The axis that `data` ranks cut: 0, unless a rank would have nothing of it and another axis is divisible.

    It is that of `data_axis` in `parallelize.py`: experts are cut along their features where there are more ranks.
    """
    shape = _local_shape(stored, ranks)
    if not shape or -(-shape[0] // data) * (data - 1) < shape[0]:
        return 0
    split = stored.placement.axis if isinstance(stored.placement, Shard) else None
    even = (axis for axis, size in enumerate(shape) if axis and size % data == 0)
    return min(even, key=lambda axis: (axis == split, axis), default=0)


def _local_shape(stored: StoredParameter, ranks: int) -> tuple[int, ...]:
    """What a tensor rank has of a parameter."""
    shape = [size.constant or 0 for size in stored.parameter.type.shape]
    placed = stored.placement
    if isinstance(placed, Shard):
        shape[placed.axis] = shape[placed.axis] * placed.copies // ranks
    return tuple(shape)


@record
class _Unit:
    """Layers of one list with equal parameters, or all that is in no layer.

    `elements` is what a rank stores of the parameters of one, `trained` of those with a gradient. `layers` counts them,
    and `calls` how often all of them together run in a forward pass.
    """

    module: str
    layers: int
    calls: int
    elements: int
    trained: int


def data_collectives(graph: Graph, plan: Plan, data: int) -> tuple[Collective, ...]:
    """What the data ranks exchange in a step, layer by layer.

    The parts of a layer are gathered whenever it runs, and again for the backward pass of that; what is in no layer is
    kept from the one to the other. Gradients are summed once, and each rank gets its part. Parameters without axes are
    whole on every rank, which sum their gradients.
    """
    units = (one for unit in _units(graph, plan, data) for one in _exchanged(unit, data))
    return (*units, *_of_scalars(plan, data))


def gathered_elements(graph: Graph, plan: Plan, data: int) -> int:
    """The most elements that a rank holds at once of weights that are gathered, and of their gradients before the sum.

    What is in no layer stays gathered from the forward to the backward pass. Beside it, in the backward pass, a layer
    is gathered while the next one is under way already, and the gradient of one is whole.
    """
    if data == 1:
        return 0
    units = tuple(_units(graph, plan, data))
    outside = sum(data * (unit.elements + unit.trained) for unit in units if not unit.module)
    layers = (data * (min(unit.layers, 2) * unit.elements + unit.trained) for unit in units if unit.module)
    return outside + max(layers, default=0)


def _exchanged(unit: _Unit, data: int) -> Iterator[Collective]:
    again = unit.calls if unit.module and unit.trained else 0
    kinds: tuple[tuple[CollectiveKind, Phase, int, int], ...] = (
        ("all-gather", "forward", unit.elements, unit.calls),
        ("all-gather", "backward", unit.elements, again),
        ("reduce-scatter", "backward", unit.trained * data, unit.layers),
    )
    for kind, phase, elements, times in kinds:
        if elements and times:
            yield Collective(
                kind=kind,
                phase=phase,
                times=times,
                elements=Dim.of(elements),
                dtype=DType.FLOAT,
                ranks=data,
                where=unit.module,
            )


def _of_scalars(plan: Plan, data: int) -> Iterator[Collective]:
    for one in plan.parameters:
        if one.has_gradient and not one.parameter.type.shape:
            yield Collective(
                kind="all-reduce",
                phase="backward",
                times=one.reads,
                elements=Dim.of(1),
                dtype=DType.FLOAT,
                ranks=data,
                where=one.parameter.path,
            )


def _units(graph: Graph, plan: Plan, data: int) -> Iterator[_Unit]:
    """The layers of each list by what they hold, and all other parameters together."""
    lists: dict[str, list[StoredParameter]] = {}
    for stored in plan.parameters:
        if not stored.parameter.buffer and stored.parameter.type.shape:
            head, star, _ = stored.parameter.path.rpartition(".*.")
            lists.setdefault(f"{head}.*" if star else "", []).append(stored)
    calls = _calls(graph)
    for module, members in lists.items():
        alike: Counter[tuple[int, int, int]] = Counter()
        for layer, times in calls[module].items():
            held = [one for one in members if layer is None or layer in one.group.layers[-1]]
            total, trained = (
                sum(data_elements(one, plan.ranks, data) for one in held if one.has_gradient or not only)
                for only in (False, True)
            )
            # A list in layers is there once in each of these.
            copies = (one.group.count // len(one.group.layers[-1]) for one in held if one.group.layers)
            alike[total, trained, times] += max(copies, default=1)
        for (total, trained, times), layers in alike.items():
            yield _Unit(module=module, layers=layers, calls=layers * times, elements=total, trained=trained)


def _calls(graph: Graph) -> Mapping[str, Mapping[int | None, int]]:
    """How often each layer of each list runs in a forward pass, by the pattern of the list and the layer's number.

    The model itself, at "", has no number, and runs once.
    """
    found: dict[str, Counter[int | None]] = {"": Counter({None: 1})}
    _count(graph, 1, found)
    return found


def _count(graph: Graph, times: int, found: dict[str, Counter[int | None]]) -> None:
    for node in graph.nodes:
        for number, region in enumerate(node.regions):
            runs = times
            if isinstance(node.op, Repeat):
                schedule, own = node.op.schedule, found.setdefault(f"{node.op.module}.*", Counter())
                runs *= schedule.count(number) if node.op.shared else 1
                own.update(dict.fromkeys(node.op.holders(number), runs))
            _count(region, runs, found)
