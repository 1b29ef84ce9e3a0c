"""The ways in which a convolution runs on parts of its channels."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.record import record


@record
class Channels:
    """`weight` are the axes of the weight that number output channels and input channels."""

    groups: int
    bias: bool
    weight: tuple[int, int]

    def ways(self, ids: int) -> Iterator[Sharding]:
        """By groups, or where there is one by output channels or by input channels, which leaves terms; in terms.

        Args:
            ids: the number of operands behind the map, which are whole.
        """
        if self.groups > 1:
            # The weight has its groups one after the other along its first axis, which is not that within a group.
            yield self._way(Shard(1), ids, Shard(1), Shard(0), Shard(0), groups=self.groups)
        else:
            out, into = self.weight
            yield self._way(Copied(), ids, Shard(1), Shard(out), Shard(0))
            yield self._way(Shard(1), ids, Partial(), Shard(into), Partial())
        yield self._way(Partial(), ids, Partial(), Copied(), Partial())

    def _way(
        self, x: Placement, ids: int, result: Placement, weight: Placement, bias: Placement, **attributes: int
    ) -> Sharding:
        """One way."""
        own = {"weight": weight, **({"bias": bias} if self.bias else {})}
        parameters = {name: placement for name, placement in own.items() if placement != Copied()}
        operands = (x, *(Copied() for _ in range(ids)))
        return Sharding(operands=operands, results=(result,), parameters=parameters, attributes=attributes)
