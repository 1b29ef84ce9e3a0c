"""Logits from the cached step: only new positions are computed, and what they read of earlier ones is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archspec.decoding.cached_rows import CachedRows
from archspec.decoding.feeding import Feeding
from archspec.decoding.prompts import Sequences
from archspec.decoding.step_runner import StepRunner


class CachedSteps:
    """The logits of growing sequences, from their new ids and a cache.

    Every row has positions of its own, so that prompts of different lengths need no padding in front. Rows that have
    ended stay in the cache without new ids, until fewer than half of its rows are left.
    """

    def __init__(
        self,
        stepped: StepRunner,
        feeding: Feeding,
        sequences: Sequences,
        given: Mapping[str, Tensor],
        *,
        max_new: int,
        chunk: int,
    ) -> None:
        self.plan, self.sequences = feeding.plan, sequences
        self.selects = stepped.selects
        """Whether rows can be repeated, reordered and left out."""
        # The first chunk must cover a prefix, whose positions see all of it.
        self.chunk = max(map(len, sequences)) if self.plan.prefixes else chunk
        self.kept = list(range(len(sequences)))
        # The last new id of a row is not fed back.
        longest = max(map(len, sequences)) + max_new - 1
        self.rows = CachedRows(stepped, feeding, given, rows=len(sequences), capacity=longest)

    def select(self, places: Sequence[int]) -> None:
        """Make each row a continuation of the row at a place; the sequences are changed by the caller."""
        # The batch may have a least size or a multiple, so the last row fills it up.
        filled = [*places, *[places[-1]] * (self.plan.batch(len(places)) - len(places))]
        self.rows.select(filled)
        self.kept = list(range(len(filled)))

    def logits(self, rows: Sequence[int]) -> Tensor:
        """Logits [rows, vocab] at the last position of each row, whose ids that are new are fed in chunks."""
        self._drop(rows)
        asked, found = set(rows), dict[int, Tensor]()
        while len(found) < len(rows):
            given = [self._next(place) if row in asked else [] for place, row in enumerate(self.kept)]
            logits = self.rows.feed(given)
            for place, (row, ids) in enumerate(zip(self.kept, given, strict=True)):
                if ids and self.rows.past[place] == len(self.sequences[row]):
                    found[row] = logits[place]
        return torch.stack([found[row] for row in rows])

    def _next(self, place: int) -> list[int]:
        """The next chunk of the ids of the row at a place; empty if all were fed."""
        first = self.rows.past[place]
        return self.sequences[self.kept[place]][first : first + self.chunk]

    def _drop(self, rows: Sequence[int]) -> None:
        """Take rows that have ended out of the cache, if at least half of its rows have.

        Dropping copies the cache, which a step of one position would otherwise read for rows that need nothing.
        """
        count = self.plan.batch(len(rows))
        if not self.selects or 2 * count > len(self.kept):
            return
        asked = set(rows)
        ended = [row for row in self.kept if row not in asked]
        # Rows that have ended fill the batch up to an admitted size.
        left = {*asked, *ended[: count - len(rows)]}
        places = [place for place, row in enumerate(self.kept) if row in left]
        self.rows.select(places)
        self.kept = [self.kept[place] for place in places]
