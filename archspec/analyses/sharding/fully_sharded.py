"""Ranks that each have their own data: what `fully_shard` leaves a rank of every parameter, and what it exchanges."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.collectives import Collective, CollectiveKind, Phase
from archspec.analyses.sharding.plan import Plan, StoredParameter
from archspec.ir.placement import Shard
from archspec.ir.types import DType
from archspec.record import record


def data_elements(stored: StoredParameter, ranks: int, data: int) -> int:
    """The elements of one tensor that the first of `data` ranks stores, which share what a tensor rank has of it.

    Axis 0 is cut in equal parts, of which the last are padded or empty, as `fully_shard` does.
    """
    shape = stored.parameter.type.shape
    if not shape:
        return 1
    placed = stored.placement
    rows = shape[0].constant or 0
    if isinstance(placed, Shard) and placed.axis == 0:
        rows = rows * placed.copies // ranks
    return -(-rows // data) * (stored.rank_elements // rows)


@record
class _Unit:
    """A layer, or all that is in no layer: what a rank stores of its parameters, and of those that are trained."""

    module: str
    layers: int
    elements: int
    trained: int


def data_collectives(plan: Plan, data: int) -> tuple[Collective, ...]:
    """What the data ranks exchange in a step, layer by layer.

    The parts of a layer are gathered for the forward pass and again for the backward pass; what is in no layer is kept
    from the one to the other. Gradients are summed, and each rank gets its part.
    """
    return tuple(one for unit in _units(plan, data) for one in _exchanged(unit, data))


def gathered_elements(plan: Plan, data: int) -> int:
    """The most elements that a rank holds at once of weights that are gathered, and of their gradients before the sum.

    What is in no layer stays gathered from the forward to the backward pass. Beside it, in the backward pass, a layer
    is gathered while the next one is under way already, and the gradient of one is whole.
    """
    if data == 1:
        return 0
    units = tuple(_units(plan, data))
    outside = sum(data * (unit.elements + unit.trained) for unit in units if not unit.module)
    layers = (data * (min(unit.layers, 2) * unit.elements + unit.trained) for unit in units if unit.module)
    return outside + max(layers, default=0)


def _exchanged(unit: _Unit, data: int) -> Iterator[Collective]:
    kinds: tuple[tuple[CollectiveKind, Phase, int], ...] = (
        ("all-gather", "forward", unit.elements),
        ("all-gather", "backward", unit.elements),
        ("reduce-scatter", "backward", unit.trained * data),
    )
    for kind, phase, elements in kinds:
        if kind == "all-gather" and phase == "backward" and not unit.module:
            continue
        yield Collective(
            kind=kind,
            phase=phase,
            times=unit.layers,
            elements=Dim.of(elements),
            dtype=DType.FLOAT,
            ranks=data,
            where=unit.module,
        )


def _units(plan: Plan, data: int) -> Iterator[_Unit]:
    """The parameters of each stack of layers, and all others together."""
    stacks: dict[str, list[StoredParameter]] = {}
    for stored in plan.parameters:
        if not stored.parameter.buffer:
            head, star, _ = stored.parameter.path.partition(".*.")
            stacks.setdefault(f"{head}.*" if star else "", []).append(stored)
    for module, members in stacks.items():
        layers = len({layer for one in members for layer in (one.group.layers[0] if one.group.layers else (0,))})
        sizes = [(one.group.count * data_elements(one, plan.ranks, data), one) for one in members]
        # Layers of several kinds have other parameters each: the mean of all layers is told.
        total = sum(size for size, _ in sizes) // layers
        trained = sum(size for size, one in sizes if one.has_gradient) // layers
        yield _Unit(module=module, layers=layers, elements=total, trained=trained)
