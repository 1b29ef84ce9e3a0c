"""Learned biases for buckets of distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ParameterSpec
from archspec.ir.source import call
from archspec.ir.types import TensorType, axis
from archspec.ops.attention.score_bias import ScoreBias, look_up, looked_up
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

# The number of a bucket is how many starts the distance has reached.
_HELPER = '''
def distance_buckets(
    queries: Tensor, keys: Tensor, starts: list[int], bidirectional: bool = False
) -> Tensor:
    """Bucket numbers [s, t] of distances; all buckets but the first begin at `starts`.

    With bidirectional, keys after the query have separate buckets; otherwise they are at distance 0.
    """
    rows = torch.arange(queries.shape[-2], device=queries.device)[:, None]
    columns = torch.arange(keys.shape[-2], device=queries.device)
    reach = torch.arange(queries.shape[-2] + keys.shape[-2], device=queries.device)
    buckets = (reach[:, None] >= torch.tensor(starts, device=queries.device)).sum(-1)
    if bidirectional:
        after = torch.where(columns > rows, len(starts) + 1, 0)
        return buckets[(rows - columns).abs()] + after
    return buckets[(rows - columns).clamp(min=0)]
'''
_PLACED = '''
def placed_buckets(
    queries: Tensor, keys: Tensor, starts: list[int], bidirectional: bool = False
) -> Tensor:
    """Numbers [b, s, t] of the buckets of the distances of positions [b, s] and [b, t] or [t].

    All buckets but the first begin at `starts`; keys after the query have buckets of
    their own, or else are at distance 0.
    """
    ahead = keys[..., None, :] - queries[:, :, None]
    bounds = torch.tensor(starts, device=queries.device)
    distances = ahead.abs() if bidirectional else (-ahead).clamp(min=0)
    buckets = (distances[..., None] >= bounds).sum(-1)
    after = torch.where(ahead > 0, len(starts) + 1, 0)
    return buckets + after if bidirectional else buckets
'''


@record
class RelativeBuckets(ScoreBias):
    """A learned bias per head for the bucket of the distance between query i and key j.

    Half of the buckets hold one distance each. The others hold logarithmically growing ranges up to `max_distance`;
    larger distances share the last bucket. With `bidirectional`, half of all buckets are for keys after the query;
    without it, such keys count as distance 0.

    Parameters: `table` [buckets, heads].
    Source: Raffel et al. 2019, arXiv 1910.10683, section 2.1, and its reference implementation.
    """

    name = "relative_buckets"
    acts = "nonlinear"

    buckets: int
    max_distance: int
    bidirectional: bool

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The table."""
        return {"table": ParameterSpec(type=inputs[0].with_axes(axis(self.buckets), axis(self.heads)))}

    def starts(self) -> list[int]:
        """The distances at which the buckets of one side begin, without the first; computed exactly, in integers."""
        side = self.buckets // 2 if self.bidirectional else self.buckets
        near, far = side // 2, side - side // 2
        # Bucket near + k begins at the first n with far * log(n / near) >= k * log(max_distance / near).
        reached = [
            next(n for n in count(near) if n**far * near**k >= self.max_distance**k * near**far) for k in range(far)
        ]
        return [*range(1, near), *reached]

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Each distance is looked up among the starts."""
        import numpy as np

        ahead = self.distances(inputs)
        distance = np.abs(ahead) if self.bidirectional else np.maximum(-ahead, 0)
        # A distance at which a bucket begins belongs to that bucket.
        numbers = np.searchsorted(self.starts(), distance, side="right")
        if self.bidirectional:
            numbers = numbers + np.where(ahead > 0, self.buckets // 2, 0)
        return (looked_up(parameters["table"], numbers),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A helper function that computes the bucket numbers, and a lookup in the table."""
        bidirectional = "True" if self.bidirectional else None
        helper, positions = (_PLACED, inputs[1:]) if self.ids else (_HELPER, inputs)
        numbers = call(e.helper(helper), *positions, str(self.starts()), bidirectional=bidirectional)
        return (look_up(parameters["table"], e.assign("buckets", numbers), rows=self.ids),)
