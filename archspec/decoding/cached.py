"""Logits from the cached step: only new positions are computed, and what they read of earlier ones is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archspec.decoding.feeding import Feeding
from archspec.decoding.prompts import Sequences
from archspec.decoding.rows import RowBlock, block
from archspec.decoding.step_module import StepModule


class CachedSteps:
    """The logits of growing sequences, from their new ids and a cache.

    Every row has positions of its own, so that prompts of different lengths need no padding in front. Rows that have
    ended stay in the cache without new ids, until fewer than half of its rows are left.
    """

    def __init__(
        self,
        stepped: StepModule,
        feeding: Feeding,
        sequences: Sequences,
        given: Mapping[str, Tensor],
        *,
        max_new: int,
        chunk: int,
    ) -> None:
        self.stepped, self.feeding, self.plan = stepped, feeding, feeding.plan
        self.sequences = sequences
        self.sizes = feeding.sizes(given)
        # The first chunk must cover a prefix, whose positions see all of it.
        self.chunk = max(map(len, sequences)) if self.plan.prefixes else chunk
        self.kept = list(range(len(sequences)))
        self.fed = [0] * len(sequences)
        # The last new id of a row is not fed back.
        longest = max(map(len, sequences)) + max_new - 1
        self.cache: Any = stepped.new_cache(len(sequences), self.plan.capacity(longest), given)

    @property
    def selects(self) -> bool:
        """Whether rows can be repeated, reordered and left out."""
        return self.stepped.selects

    def select(self, places: Sequence[int]) -> None:
        """Make each row a continuation of the row at a place; the sequences are changed by the caller."""
        filled = [*places, *[places[-1]] * (self.plan.batch(len(places)) - len(places))]
        if filled != list(range(len(self.kept))):
            self.cache = self.stepped.selected(self.cache, torch.tensor(filled, device=self.feeding.device))
        self.kept = list(range(len(filled)))
        self.fed = [self.fed[place] for place in filled]

    def logits(self, rows: Sequence[int]) -> Tensor:
        """Logits [rows, vocab] at the last position of each row, whose ids that are new are fed in chunks."""
        self._drop(rows)
        found: dict[int, Tensor] = {}
        while len(found) < len(rows):
            given = [self._next(row) if row in rows else [] for row in self.kept]
            logits = self._step(given)
            for place, (row, ids) in enumerate(zip(self.kept, given, strict=True)):
                self.fed[row] += len(ids)
                if ids and self.fed[row] == len(self.sequences[row]):
                    found[row] = logits[place]
        return torch.stack([found[row] for row in rows])

    def _next(self, row: int) -> list[int]:
        """The next chunk of a row's ids; empty if all were fed."""
        first = self.fed[row]
        return self.sequences[row][first : first + self.chunk]

    def _step(self, given: Sequence[Sequence[int]]) -> Tensor:
        """Logits [kept rows, vocab] of one step; those of a row without new ids mean nothing."""
        filled = block(given, max(map(len, given)), "right")
        past = [self.fed[row] for row in self.kept]
        tensors = self.feeding.tensors(self._moved(filled, past), self.stepped.types, self._sizes(filled))
        counts = torch.tensor([len(ids) for ids in given], device=self.feeding.device)
        logits, self.cache = self.stepped.step(tensors, self.cache, counts)
        return logits

    def _moved(self, filled: RowBlock, past: Sequence[int]) -> RowBlock:
        """The block with the position numbers that its ids have in their rows."""
        positions = filled.positions + filled.valid * [[count] for count in past]
        return RowBlock(ids=filled.ids, valid=filled.valid, positions=positions, last=filled.last)

    def _sizes(self, filled: RowBlock) -> dict[str, int]:
        rows, new = filled.ids.shape
        own = {} if self.plan.rows is None else {self.plan.rows.name: rows}
        return {**self.sizes, **own, **self.stepped.sizes(self.cache, new)}

    def _drop(self, rows: Sequence[int]) -> None:
        """Take rows that have ended out of the cache, if at least half of its rows have.

        Dropping copies the cache, which a step of one position would otherwise read for rows that need nothing.
        """
        count = self.plan.batch(len(rows))
        if not self.stepped.selects or 2 * count > len(self.kept):
            return
        ended = [row for row in self.kept if row not in rows]
        left = {*rows, *ended[: count - len(rows)]}
        places = [place for place, row in enumerate(self.kept) if row in left]
        self.cache = self.stepped.selected(self.cache, torch.tensor(places, device=self.feeding.device))
        self.kept = [self.kept[place] for place in places]
