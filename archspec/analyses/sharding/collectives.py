"""What ranks exchange in a step of training: which collectives a plan needs, and the bytes that each rank gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.plan import Conversion, Plan, StoredParameter
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard
from archspec.ir.types import DType, TensorType
from archspec.record import record

CollectiveKind = Literal["all-reduce", "all-gather", "reduce-scatter"]
Phase = Literal["forward", "backward"]

# By the types of the placements: what is exchanged forward, and backward; "" for nothing.
_COSTS: dict[tuple[type, type], tuple[CollectiveKind | None, CollectiveKind | None]] = {
    (Replicate, Copied): (None, "all-reduce"),
    (Replicate, Shard): (None, "all-gather"),
    (Copied, Shard): (None, None),
    (Copied, Copied): (None, None),
    (Partial, Replicate): ("all-reduce", None),
    (Partial, Copied): ("all-reduce", "all-reduce"),
    (Partial, Shard): ("reduce-scatter", "all-gather"),
    (Shard, Replicate): ("all-gather", None),
    (Shard, Copied): ("all-gather", "reduce-scatter"),
}


@record
class Collective:
    """One kind of exchange at one place.

    Fields:
        kind: what is exchanged.
        phase: the pass that needs it.
        times: how often it happens in a step.
        again: how often it happens once more in the backward pass, if layers are computed again.
        elements: the elements that each rank gives to one of them: a part to an all-gather, all to the others.
        dtype: their type.
        ranks: the number of ranks that exchange.
        where: the module at which it happens, or the parameter whose gradient it joins.
    """

    kind: CollectiveKind
    phase: Phase
    times: int
    elements: Dim
    dtype: DType
    ranks: int
    where: str
    again: int = 0


def collectives(plan: Plan) -> tuple[Collective, ...]:
    """The collectives over tensor ranks in one step: a forward and a backward pass."""
    found = [one for hook in plan.conversions for one in of_conversion(hook, plan.ranks)]
    return (*found, *(one for stored in plan.parameters for one in of_parameter(stored, plan.ranks)))


def of_conversion(hook: Conversion, ranks: int) -> Iterator[Collective]:
    """What one hook exchanges."""
    # Ranks that share a part each have a term of its gradient: it is taken of a whole value that each has for itself.
    is_shared = isinstance(hook.target, Shard) and hook.target.copies > 1
    target = Copied() if is_shared else hook.target
    forward, backward = _COSTS[type(hook.source), type(target)]
    where = (
        ".".join(part for part in (hook.at.module, hook.at.name) if part)
        if hook.at.side == "lookup"
        else hook.at.module
    )
    for run in hook.runs:
        if forward is not None:
            size = _given(forward, run.type, hook.source, ranks)
            made = _of(forward, "forward", run.times, size, run.type.dtype, ranks, where)
            yield replace(made, again=run.again)
        if backward is not None and hook.has_gradient and run.times > run.still:
            size = _given(backward, run.type, target, ranks)
            yield _of(backward, "backward", run.times - run.still, size, run.type.dtype, ranks, where)


def of_parameter(stored: StoredParameter, ranks: int) -> Iterator[Collective]:
    """The all-reduces of the gradient of a parameter that is whole, or a part, on ranks that each have a term of it.

    Each read of the parameter has a gradient of its own.
    """
    parameter, placed = stored.parameter, stored.placement
    if not stored.has_gradient:
        return
    joined = ranks if isinstance(placed, Copied) else placed.copies if isinstance(placed, Shard) else 1
    if joined > 1:
        size = Dim.of(stored.rank_elements)
        yield _of("all-reduce", "backward", stored.reads, size, parameter.type.dtype, joined, parameter.path)


def _given(kind: CollectiveKind, type_: TensorType, placement: Placement, ranks: int) -> Dim:
    parts = ranks // placement.copies if kind == "all-gather" and isinstance(placement, Shard) else 1
    return rank_elements(type_, placement, ranks) if parts > 1 else type_.elements()


def rank_elements(type_: TensorType, placement: Placement, ranks: int) -> Dim:
    """The elements that a rank holds of a value."""
    if not isinstance(placement, Shard):
        return type_.elements()
    total = Dim.of(1)
    for number, axis in enumerate(type_.axes):
        first, *rest = axis.factors
        # The ranks divide the outermost factor.
        own = first * placement.copies // ranks if number == placement.axis else first
        for one in (own, *rest):
            total = total * one
    return total


def _of(
    kind: CollectiveKind, phase: Phase, times: int, elements: Dim, dtype: DType, ranks: int, where: str
) -> Collective:
    return Collective(kind=kind, phase=phase, times=times, elements=elements, dtype=dtype, ranks=ranks, where=where)
