"""Rows of one cache: each is fed its own new ids, at its own positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archspec.decoding.feeding import Feeding
from archspec.decoding.rows import RowBlock, block
from archspec.decoding.step_runner import StepRunner


class CachedRows:
    """A cache and the number of positions that each of its rows has had, `past`."""

    def __init__(
        self, stepped: StepRunner, feeding: Feeding, given: Mapping[str, Tensor], *, rows: int, capacity: int
    ) -> None:
        """Make an empty cache.

        Args:
            stepped: computes the steps.
            feeding: makes their tensors.
            given: the inputs that are given once, by name.
            rows: how many rows are fed together; a number that the batch admits.
            capacity: the maximum number of positions of a row.
        """
        self.stepped, self.feeding = stepped, feeding
        self.sizes = feeding.sizes(given)
        self.past = [0] * rows
        self.cache: Any = stepped.new_cache(rows, feeding.plan.capacity(capacity), given)

    def feed(self, given: Sequence[Sequence[int]]) -> Tensor:
        """Logits [rows, vocab] after the new ids of each row; those of a row without new ids mean nothing."""
        # All rows are as long as the longest; `counts` says how much of each is its own.
        filled = block(given, max(map(len, given)), "right")
        tensors = self.feeding.tensors(self._moved(filled), self.stepped.types, self._sizes(filled))
        counts = torch.tensor([len(ids) for ids in given], device=self.feeding.device)
        logits, self.cache = self.stepped.step(tensors, self.cache, counts)
        self.past = [count + len(ids) for count, ids in zip(self.past, given, strict=True)]
        return logits

    def select(self, places: Sequence[int]) -> None:
        """Make each row a copy of the row at a place."""
        # To copy a cache is dear, and needless where every row stays.
        if list(places) != list(range(len(self.past))):
            self.cache = self.stepped.selected(self.cache, torch.tensor(places, device=self.feeding.device))
            self.past = [self.past[place] for place in places]

    def begin(self, rows: Sequence[int]) -> None:
        """Let rows begin anew, without any position; the others stay as they are."""
        for row in rows:
            self.past[row] = 0
        # The buffers keep their entries: what is behind a row's count is never read.
        self.cache = self.stepped.at(self.cache, self.past)

    def enter(self, row: int, given: Mapping[str, Tensor]) -> None:
        """Give a row its own inputs that are given once; what is made of them is made now, for this row alone."""
        plan = self.feeding.plan
        # Only what is made once is taken of it, so its buffers may be small.
        part = self.stepped.new_cache(plan.batch(1), plan.capacity(1), given)
        self.cache = self.stepped.entered(self.cache, part, [row])

    def _moved(self, filled: RowBlock) -> RowBlock:
        """The block with the position numbers that its ids have in their rows."""
        # Padding keeps position 0, so that it never exceeds a table.
        positions = filled.positions + filled.valid * [[count] for count in self.past]
        return RowBlock(ids=filled.ids, valid=filled.valid, positions=positions, last=filled.last)

    def _sizes(self, filled: RowBlock) -> dict[str, int]:
        rows, new = filled.ids.shape
        symbol = self.feeding.plan.rows
        own = {} if symbol is None else {symbol.name: rows}
        return {**self.sizes, **own, **self.stepped.sizes(self.cache, new)}
