"""Beam search: the most likely sequences of a prompt grow together, and the best of those that ended is the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from archspec.decoding.numbers import real, whole
from archspec.diagnostics import Collector
from archspec.record import record

MOST_PENALTY = 20
"""The largest `length_penalty`, either way."""


@record
class BeamSearch:
    """How many sequences of a prompt grow together, and how those that ended are compared.

    The score of a sequence is the sum of the log-probabilities of its new ids over their number to the power
    `length_penalty`: above 0 it favours long sequences, at 0 sums are compared. One beam is no search: each id is
    chosen for itself.

    A search ends when `beams` sequences have ended and, unless `early_stopping` is true, no other could do better: if
    it ended now with the sum that it has (false), or at the length that is best for it (`never`, which is exact).
    Source: Wu et al. 2016, arXiv 1609.08144; names, ranks and ends as in transformers.

    Raises SpecError E744 with all invalid values, and for options of a search with one beam.
    """

    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False

    def __post_init__(self) -> None:
        found = Collector()
        if whole("beams", self.beams, found) and self.beams < 1:
            found.error("E744", f"`beams` must be at least 1, got {self.beams}", None)
        # Larger powers of a length overflow.
        if real("length_penalty", self.length_penalty, found) and not abs(self.length_penalty) <= MOST_PENALTY:
            message = f"`length_penalty` must be from -{MOST_PENALTY} to {MOST_PENALTY}, got {self.length_penalty}"
            found.error("E744", message, None)
        if self.early_stopping not in (True, False, "never"):
            message = f"`early_stopping` must be true, false or `never`, got `{self.early_stopping}`"
            found.error("E744", message, None)
        for name, plain in (("length_penalty", 1.0), ("early_stopping", False)):
            if self.beams == 1 and getattr(self, name) != plain:
                found.error("E744", f"`{name}` has no effect with one beam", None, help="give `beams`, such as 4")
        found.raise_if_errors()

    def score(self, total: float, length: int) -> float:
        """The score of a sequence of `length` new ids whose log-probabilities have the sum `total`."""
        return total / float(length**self.length_penalty)


@record
class Beam:
    """New ids of a sequence, their log-probabilities, and the sum by which sequences are ranked."""

    ids: tuple[int, ...] = ()
    likely: tuple[float, ...] = ()
    total: float = 0.0


class PromptSearch:
    """The search of one prompt: the sequences that grow, and the best that ended, both with the best first."""

    def __init__(self, search: BeamSearch, ends: frozenset[int], max_new: int) -> None:
        self.search, self.ends, self.max_new = search, ends, max_new
        # One sequence without ids: several equal ones would all grow in the same way.
        self.running = [Beam()]
        self.ended: list[tuple[float, Beam]] = []

    def advance(self, scores: Tensor, likely: Tensor) -> list[int]:
        """Grow by one id; of equal sequences the earlier comes first, and of their ids the lower.

        Args:
            scores: [running, vocab], what each id adds to the sum of a sequence, minus infinity where it is excluded.
            likely: [running, vocab], the log-probability of each id.

        Returns:
            for each sequence that grows on, the place of the one that it continues.
        """
        grown = self._grown(scores, likely)
        # As in transformers, an end counts only among the best `beams` of all.
        self._end([beam for rank, (_, beam) in enumerate(grown) if self._ends(beam) and rank < self.search.beams])
        going = [one for one in grown if not self._ends(one[1])][: self.search.beams]
        self.running = [beam for _, beam in going]
        if self._is_done():
            self.running = []
        return [parent for parent, _ in going] if self.running else []

    @property
    def best(self) -> tuple[float, Beam]:
        """The best sequence that ended, with its score."""
        return self.ended[0]

    def _grown(self, scores: Tensor, likely: Tensor) -> list[tuple[int, Beam]]:
        """The most likely longer sequences, with the place of what they continue: enough that `beams` do not end."""
        # In float64: sums of many log-probabilities lose digits in float32.
        totals = torch.tensor([one.total for one in self.running], dtype=torch.float64, device=scores.device)
        sums = (totals[:, None] + scores).flatten()
        # Each sequence may end with each of the end ids: so many more leave enough that grow on.
        places = largest(sums, (1 + len(self.ends)) * self.search.beams)
        added = likely.flatten()[places].tolist()
        found = []
        for place, total, one in zip(places.tolist(), sums[places].tolist(), added, strict=True):
            parent, id = divmod(place, scores.shape[1])
            beam = self.running[parent]
            found.append((parent, Beam(ids=(*beam.ids, id), likely=(*beam.likely, one), total=total)))
        return found

    def _ends(self, beam: Beam) -> bool:
        return beam.ids[-1] in self.ends or len(beam.ids) == self.max_new

    def _end(self, beams: Sequence[Beam]) -> None:
        self.ended += [(self.search.score(beam.total, len(beam.ids)), beam) for beam in beams]
        # The sort is stable: of equal scores the one that ended earlier stays first.
        self.ended = sorted(self.ended, key=lambda one: -one[0])[: self.search.beams]

    def _is_done(self) -> bool:
        """Whether no sequence is left, or none can take a place among the best."""
        if not self.running:
            return True
        if len(self.ended) < self.search.beams:
            return False
        if self.search.early_stopping is True:
            return True
        # Sums are not positive: with a penalty above 0 a longer sequence has the better score.
        exact = self.search.early_stopping == "never" and self.search.length_penalty > 0
        length = self.max_new if exact else len(self.running[0].ids)
        return self.search.score(self.running[0].total, length) <= self.ended[-1][0]


def largest(values: Tensor, count: int) -> Tensor:
    """Places int64 [at most count] of the largest finite values [n], the largest first, of equal ones the earlier."""
    finite = int((values > -math.inf).sum())
    count = min(count, finite)
    # `topk` breaks ties in an unspecified order, so it only gives the least value, and a stable sort orders the rest.
    least = values.topk(count).values[-1]
    places = (values >= least).nonzero()[:, 0]
    return places[values[places].sort(descending=True, stable=True).indices[:count]]
