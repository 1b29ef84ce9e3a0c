"""How values change between tensor ranks: a part of every emitted `parallelize.py`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard


class Broadcast(Replicate):
    """All of a value on every rank, and a term of its gradient: the sum is whole."""


class SharedShard(NamedTuple):
    """Parts of an axis, each on several ranks, as they share a head of keys."""

    axis: int
    copies: int


Held = Placement | SharedShard
Conversion = tuple[Held, Held]


def is_part(conversion: Conversion) -> bool:
    """Whether parts are made whole."""
    return isinstance(conversion[0], Shard) and not isinstance(conversion[1], Shard)


class TableRows(Tensor):
    """The rows of a table that a rank holds: lookups give zeros for those of others."""

    mesh: DeviceMesh
    conversion: Conversion
    is_whole: bool

    @staticmethod
    def of(
        table: Tensor, mesh: DeviceMesh, conversion: Conversion, *, is_whole: bool
    ) -> TableRows:
        """The rows of a rank, or all, and how what is looked up is converted."""
        rows = table.as_subclass(TableRows)
        rows.mesh, rows.conversion, rows.is_whole = mesh, conversion, is_whole
        return rows

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if func is not F.embedding:
                return func(*args, **(kwargs or {}))
            ids, table = args
            if table.is_whole:
                looked_up = F.embedding(ids, table)
                return convert(looked_up, table.mesh, *table.conversion)
            count = table.shape[0]
            own = ids - table.mesh.get_local_rank() * count
            elsewhere = (own < 0) | (own >= count)
            # Of a row that no rank has, the lookup tells, as that in the whole table.
            known = (ids >= 0) & (ids < table.mesh.size() * count)
            rows = F.embedding(own.masked_fill(elsewhere & known, 0), table)
            rows = rows.masked_fill(elsewhere[..., None], 0)
            return convert(rows, table.mesh, *table.conversion)


def convert(x: Tensor, mesh: DeviceMesh, source: Held, target: Held) -> Tensor:
    """A value with another placement; its gradient is converted back."""
    if isinstance(source, Partial) and isinstance(target, Partial):
        return x
    if isinstance(target, Shard) and x.shape[target.dim] % mesh.size():
        size = f"axis {target.dim} of {tuple(x.shape)}"
        raise ValueError(f"{size} is not divisible by {mesh.size()} tensor ranks")
    if isinstance(target, SharedShard):
        # Ranks that share a part each send back a term of its gradient.
        whole = (
            x
            if isinstance(source, Broadcast)
            else convert(x, mesh, source, Broadcast())
        )
        return whole.chunk(mesh.size() // target.copies, target.axis)[
            mesh.get_local_rank() // target.copies
        ]
    assert not isinstance(source, SharedShard)
    if isinstance(source, Broadcast) and isinstance(target, Shard):
        # The gradient is a term: zeros around the part.
        return x.chunk(mesh.size(), target.dim)[mesh.get_local_rank()]
    made = DTensor.from_local(x, mesh, (plain(source),)).redistribute(
        placements=(plain(target),)
    )
    return made.to_local(
        grad_placements=(Partial() if isinstance(target, Broadcast) else plain(target),)
    )


def plain(held: Placement) -> Placement:
    """A placement as `torch.distributed.tensor` has it."""
    return Replicate() if isinstance(held, Broadcast) else held


def convert_inputs(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    mesh: DeviceMesh,
    table: dict[int, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convert arguments of a module before its forward."""
    _, *names = inspect.signature(type(module).forward).parameters
    converted = list(args)
    for number, (source, target) in table.items():
        if number < len(args):
            converted[number] = convert(args[number], mesh, source, target)
        elif names[number] in kwargs:
            kwargs[names[number]] = convert(kwargs[names[number]], mesh, source, target)
    return tuple(converted), kwargs


def convert_outputs(
    module: nn.Module,
    args: Any,
    result: Any,
    *,
    mesh: DeviceMesh,
    table: dict[int, Conversion],
    leave: bool,
) -> Any:
    """Convert results of a module after its forward, or `leave` parts as DTensors."""

    def converted(one: Tensor, conversion: Conversion) -> Tensor:
        if leave and is_part(conversion):
            placement = conversion[0]
            assert isinstance(placement, Shard)
            return DTensor.from_local(one, mesh, (placement,))
        return convert(one, mesh, *conversion)

    if isinstance(result, Tensor):
        return converted(result, table[0])
    made = [
        converted(one, table[number]) if number in table else one
        for number, one in enumerate(result)
    ]
    return type(result)(*made) if hasattr(result, "_fields") else tuple(made)
