"""The ways in which attention runs on parts of its operands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.algebra.scalar import Scalar
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.sharded import free
from archspec.ir.types import TensorType
from archspec.masks.coordinates import MaskSide
from archspec.ops.attention.mask_operands import MaskOperands
from archspec.record import record


@record
class AttentionParts:
    """Operands q [b h s d], k and v [b g t d], what changes the scores [b h s t], then the controls of a mask.

    `numbers` are those that it computes with, `weights` says that weights are a second result, `sums` that weights are
    not normalised, so that results are sums over keys.
    """

    types: Sequence[TensorType]
    controls: MaskOperands
    numbers: tuple[Scalar | None, ...]
    weights: bool
    sums: bool
    sink: bool

    def ways(self) -> Iterator[Sharding]:
        """By heads, rows, features of the values or queries, in terms of the values; over keys, if it is a sum."""
        yield self._by_heads()
        yield self._way((Shard(0),) * 3, self._scores(0), self.controls.by_rows(), Shard(0))
        controls = [Copied()] * len(self.controls.types)
        whole = [Copied()] * len(self._between)
        yield self._way((Copied(), Copied(), Shard(3)), whole, controls, Shard(3), Copied())
        yield self._way((Copied(), Copied(), Partial()), whole, controls, Partial(), Copied())
        queries = self._along("query", 0, 2)
        if queries is not None:
            yield self._way((Shard(2), Copied(), Copied()), self._scores(2), queries, Shard(2))
        keys = self._along("key", 1, 2) if self.sums else None
        if keys is not None:
            yield self._way((Copied(), Shard(2), Shard(2)), self._scores(3), keys, Partial(), Shard(3))

    def _by_heads(self) -> Sharding:
        """By heads: one head of keys that all queries share is read as a whole."""
        heads, kv_heads = (x.shape[1] for x in self.types[:2])
        kv: Placement = Copied() if kv_heads == 1 and heads != 1 else Shard(1)
        controls = [Copied()] * len(self.controls.types)
        return Sharding(
            operands=(Shard(1), kv, kv, *self._scores(1), *controls),
            results=(Shard(1),) * (1 + self.weights),
            parameters={"sink": Shard(0)} if self.sink else {},
            grouped=(1, 2) if kv == Shard(1) and heads != kv_heads else (),
        )

    def _way(
        self,
        vectors: Sequence[Placement],
        scores: Sequence[Placement],
        controls: Sequence[Placement],
        result: Placement,
        weights: Placement | None = None,
    ) -> Sharding:
        """One way; the weights are where the result is, if nothing else is said."""
        results = (result, *([weights or result] if self.weights else []))
        return Sharding(operands=(*vectors, *scores, *controls), results=results)

    @property
    def _between(self) -> Sequence[TensorType]:
        """What changes the scores."""
        return self.types[3 : self.controls.first]

    def _scores(self, axis: int) -> list[Placement]:
        """What changes the scores, where these are parted along an axis."""
        own = [(x, axis - 4 + x.rank) for x in self._between]
        return [Shard(place) if place >= 0 and x.shape[place] != 1 else Copied() for x, place in own]

    def _along(self, side: MaskSide, operand: int, axis: int) -> Sequence[Placement] | None:
        """The controls where queries or keys are parted; None if the mask or a number depends on all of them."""
        x, keys = self.types[operand], self.types[1].shape[2]
        fits = axis in free(x, *(number for number in self.numbers if number is not None))
        return self.controls.along(side, x.shape[axis], keys) if fits else None
