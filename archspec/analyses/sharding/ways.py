"""The ways in which an op runs on parts at a number of ranks, and why others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from archspec.analyses.sharding.wiring import WiredOp
from archspec.ir.graph import Node
from archspec.ir.op import Primitive
from archspec.ir.placement import Copied, Placement, Shard, Sharding
from archspec.ir.types import TensorType
from archspec.record import record


@record(eq=False)
class PartWay:
    """One way of an op: its sharding, and the placement that each of its wires has then.

    `Copied` stands for either placement of a whole value; see `archspec.analyses.sharding.terms`.
    """

    sharding: Sharding
    labels: Mapping[int, Placement]


@record
class UnevenSize:
    """A size that must be cut into `parts` equal parts, and cannot be; None for a size that is known at run time.

    `of_results` says that the results would be parts as well, and not terms of a sum.
    """

    size: int | None
    parts: int
    what: str
    of_results: bool = False

    def __str__(self) -> str:
        if self.size is None:
            return f"the size of {self.what} is known only at run time"
        return f"{self.size} is not divisible by {self.parts} ({self.what})"

    @property
    def help(self) -> str | None:
        """The numbers of ranks that would do, or the next size that does."""
        if self.size is None:
            return None
        ranks = [count for count in range(2, 2 * self.parts) if self.size % count == 0]
        nearest = sorted(sorted(ranks, key=lambda count: abs(count - self.parts))[:4])
        if nearest:
            return f"{', '.join(map(str, nearest))} ranks divide {self.size}"
        return f"{-(-self.size // self.parts) * self.parts} is divisible by {self.parts}"


@record(eq=False)
class Ways:
    """What an op can do: the ways that these ranks allow, and the sizes that they would have to divide for others.

    Of an op with weights only those ways count in `refused` that split these.
    """

    possible: tuple[PartWay, ...]
    refused: tuple[UnevenSize, ...]


def ways(wired: WiredOp, ranks: int, copies: frozenset[int], *, experts: bool = False) -> Ways:
    """The ways of an op over `ranks` ranks.

    Args:
        wired: the op.
        ranks: the number of ranks.
        copies: the numbers of ranks that may share a part.
        experts: whether ranks may have whole experts.
    """
    possible, refused = [], []
    for sharding in declared(wired.node, ranks, copies):
        if not experts and has_whole_experts(wired.node, sharding):
            continue
        reason = misfit(wired.node, sharding, ranks)
        if reason is not None:
            reason = replace(reason, of_results=all(isinstance(one, Shard) for one in sharding.results))
            refused += [reason] if splits_weights(sharding) or not wired.parameters else []
        elif (labels := labelled(wired, sharding)) is not None:
            possible.append(PartWay(sharding=sharding, labels=labels))
    return Ways(possible=tuple(possible), refused=tuple(dict.fromkeys(refused)))


def splits_weights(sharding: Sharding) -> bool:
    """Whether each rank stores a part of a weight of its own."""
    return any(isinstance(one, Shard) and one.copies == 1 for one in sharding.parameters.values())


def has_whole_experts(node: Node, sharding: Sharding) -> bool:
    """Whether ranks have whole maps of a stack in this way, as experts are."""
    assert isinstance(node.op, Primitive)
    specs = node.op.parameters(*(x.type for x in node.inputs))
    return any(specs[name].stacked and one == Shard(0) for name, one in sharding.parameters.items() if name in specs)


def declared(node: Node, ranks: int, copies: frozenset[int]) -> Iterator[Sharding]:
    """What an op declares, and the same with parts that several ranks share."""
    for found in plain(node):
        # An op may name parameters that it has with other fields only.
        sharding = replace(found, parameters={k: v for k, v in found.parameters.items() if k in node.parameters})
        yield sharding
        for count in sorted(copies):
            # Ranks that share a part would each add it to a sum.
            if not sharding.grouped and all(isinstance(one, Copied | Shard) for one in placements(sharding)):
                yield shared(sharding, count)
        grouped = copies_of(node, sharding, ranks)
        if grouped > 1:
            yield replace(sharding, operands=_with_copies(sharding, grouped))


def plain(node: Node) -> Sequence[Sharding]:
    """What an op declares."""
    assert isinstance(node.op, Primitive)
    return node.op.shardings([x.type for x in node.inputs], [y.type for y in node.outputs])


def copies_of(node: Node, sharding: Sharding, ranks: int) -> int:
    """How many ranks hold one entry of the operands that are grouped: 1 unless there are fewer entries than ranks."""
    sizes = {
        parts(node.inputs[k].type, one) for k in sharding.grouped if isinstance(one := sharding.operands[k], Shard)
    }
    (size,) = sizes if len(sizes) == 1 else (None,)
    return ranks // size if size and ranks > size and ranks % size == 0 else 1


def _with_copies(sharding: Sharding, count: int) -> tuple[Placement, ...]:
    return tuple(
        Shard(one.axis, count) if k in sharding.grouped and isinstance(one, Shard) else one
        for k, one in enumerate(sharding.operands)
    )


def shared(sharding: Sharding, count: int) -> Sharding:
    """A sharding of which `count` ranks in a row hold each part."""

    def part(one: Placement) -> Placement:
        return Shard(one.axis, count) if isinstance(one, Shard) else one

    return replace(
        sharding,
        operands=tuple(map(part, sharding.operands)),
        results=tuple(map(part, sharding.results)),
        parameters={name: part(one) for name, one in sharding.parameters.items()},
    )


def placements(sharding: Sharding) -> Iterator[Placement]:
    """Every placement of a sharding, except of parameters that it does not name."""
    yield from sharding.operands
    yield from sharding.results
    yield from sharding.parameters.values()


def parts(type_: TensorType, placement: Shard) -> int | None:
    """Into how many equal parts an axis may be cut: its outermost factor; None if that is a run-time size."""
    return type_.axes[placement.axis].factors[0].constant


def misfit(node: Node, sharding: Sharding, ranks: int) -> UnevenSize | None:
    """The first size that ranks do not divide, so that they cannot run an op in this way; None if they can."""
    for type_, placement in typed(node, sharding):
        if isinstance(placement, Shard) and (found := uneven(type_, placement, ranks)) is not None:
            return found
    numbers = (
        UnevenSize(size=size, parts=ranks, what=name) for name, size in sharding.attributes.items() if size % ranks
    )
    return next(numbers, None)


def uneven(type_: TensorType, placement: Shard, ranks: int) -> UnevenSize | None:
    """The size of an axis that ranks do not divide, so that they cannot hold parts of a value; None if they can."""
    size, count = parts(type_, placement), ranks // placement.copies
    if size is None or ranks % placement.copies or size % count:
        return UnevenSize(size=size, parts=count, what=f"axis {placement.axis} of {type_}")
    return None


def typed(node: Node, sharding: Sharding) -> Iterator[tuple[TensorType, Placement]]:
    """Every placement of a sharding with the type of what is placed; results first, whose axes keep their factors."""
    yield from ((y.type, one) for y, one in zip(node.outputs, sharding.results, strict=True))
    yield from ((x.type, one) for x, one in zip(node.inputs, sharding.operands, strict=True))
    for name, one in sharding.parameters.items():
        yield node.parameters[name].type, one


def labelled(wired: WiredOp, sharding: Sharding) -> dict[int, Placement] | None:
    """The placement of every wire of an op; None if one wire would have two."""
    found: dict[int, Placement] = {}
    pairs = [*zip(wired.operands, sharding.operands, strict=True), *zip(wired.results, sharding.results, strict=True)]
    pairs += [(wire, sharding.parameters.get(name, Copied())) for name, wire in wired.parameters.items()]
    return found if all(found.setdefault(wire, one) == one for wire, one in pairs) else None
