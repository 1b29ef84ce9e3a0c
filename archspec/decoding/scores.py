"""Scores from which ids are chosen: logits after penalties, without the ids that must not be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from archspec.decoding.plan import GenerationPlan
from archspec.decoding.prompts import Sequences
from archspec.decoding.sampling import Sampling


class Scores:
    """Turns the logits of growing sequences into scores."""

    def __init__(
        self, plan: GenerationPlan, sampling: Sampling, sequences: Sequences, late: Iterable[int], min_new: int
    ) -> None:
        """Prepare the scores of sequences that have no new ids yet.

        Args:
            plan: the plan of the generation, which says which ids are banned.
            sampling: how ids are chosen, with the penalty for repetition.
            sequences: the ids of each row, which are extended in place.
            late: ids that are not chosen among the first `min_new`.
            min_new: how many new ids each row has at least.
        """
        self.sequences, self.penalty, self.min_new = sequences, sampling.repetition_penalty, min_new
        # A reduced copy has fewer ids than `decode` may name.
        self.banned = [id for id in plan.decode.ban if id < plan.vocab]
        self.late = [id for id in late if id < plan.vocab]

    def of(self, logits: Tensor, rows: Sequence[int], new: int) -> Tensor:
        """Scores [rows, vocab] of rows that have `new` new ids, minus infinity for ids that must not be chosen."""
        scores = logits if self.penalty == 1 else self._penalised(logits, rows)
        forbidden = [*self.banned, *(self.late if new < self.min_new else ())]
        if not forbidden:
            return scores
        return scores.index_fill(-1, torch.tensor(forbidden, device=logits.device), -torch.inf)

    def _penalised(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """Logits with those of ids that a row already has moved down.

        Source: Keskar et al. 2019, arXiv 1909.05858; negative logits are multiplied, as in transformers.
        """
        # On the CPU, where the ids are, and moved once for all rows.
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        for place, row in enumerate(rows):
            seen[place, self.sequences[row]] = True
        wide = logits.float() if logits.dtype.itemsize < 4 else logits
        return torch.where(
            seen.to(logits.device), torch.where(wide < 0, wide * self.penalty, wide / self.penalty), wide
        )
