"""How ops run on parts of their operands: rules that several ops share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.moving import Pairs
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.types import DType, TensorType


def along(pairs: Sequence[Pairs], results: int = 1) -> Iterator[Sharding]:
    """By each axis of the result along which operands are read at the result's own position.

    Args:
        pairs: for each operand the axes that are read so; one without the axis in question is read as a whole.
        results: the number of results, all parted along the axis of this number.
    """
    for axis in sorted({out for own in pairs for out in own.values()}):
        yield Sharding(operands=at(pairs, axis), results=(Shard(axis),) * results)


def at(pairs: Sequence[Pairs], axis: int) -> tuple[Placement, ...]:
    """The placements of operands where the result is parted along one of its axes."""
    return tuple(next((Shard(own) for own, out in axes.items() if out == axis), Copied()) for axes in pairs)


def terms(*operands: Placement) -> Sharding:
    """The result of terms: a term of it."""
    return Sharding(operands=operands, results=(Partial(),))


def summed(inputs: Sequence[TensorType]) -> Iterator[Sharding]:
    """The way of an op that is linear in all operands together, if they have numbers that can be added up."""
    if all(x.dtype is DType.FLOAT for x in inputs):
        yield terms(*(Partial() for _ in inputs))


def free(x: TensorType, *used: Dim | Scalar) -> list[int]:
    """The axes along which a type may be parted: those with whose sizes these sizes and numbers do not change."""
    symbols = frozenset(symbol for one in used for symbol in one.symbols())
    return [axis for axis, size in enumerate(x.shape) if symbols.isdisjoint(size.symbols())]


def unread(x: TensorType, axes: Iterable[int]) -> tuple[Placement, ...]:
    """Where an operand may be if nothing of it is used but sizes of other axes than these."""
    return (Copied(), *(Shard(axis) for axis in axes), *((Partial(),) if x.dtype is DType.FLOAT else ()))


def beside(places: Sequence[Iterable[Placement]], ways: Iterable[Sharding]) -> Iterator[Sharding]:
    """Ways of an op that reads nothing of its first operands, which may be in any of their places.

    Args:
        places: of each of these operands.
        ways: of the other operands; besides, all of these may be whole.
    """
    others = list(ways)
    read = len(others[0].operands) if others else 0
    for way in (Sharding(operands=(Copied(),) * read, results=(Copied(),)), *others):
        for chosen in product(*places):
            if way.parameters or any(one != Copied() for one in (*chosen, *way.operands)):
                yield replace(way, operands=(*chosen, *way.operands))


def tables(name: str, read: int, *places: tuple[Placement, Placement]) -> list[Sharding]:
    """The ways of an op that only looks up rows of a table: where the result and the table are in each.

    Args:
        name: of the parameter.
        read: the number of operands, which are whole.
        places: of the result and of the table.
    """
    whole = (Copied(),) * read
    return [Sharding(operands=whole, results=(result,), parameters={name: table}) for result, table in places]
