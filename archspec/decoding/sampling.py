"""Choice of one id per row from logits: greedy, or drawn with temperature, top-k and top-p."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from archspec.decoding.numbers import real, whole
from archspec.diagnostics import Collector, fail
from archspec.record import record

if TYPE_CHECKING:
    from numpy.random import Generator


@record
class Sampling:
    """How an id is chosen: the most likely one at temperature 0, else drawn from the softmax of logits / temperature.

    `top_k` keeps the k most likely ids, the lower ids among equally likely ones. `top_p` then keeps the most likely ids
    until together they reach that probability. Each row has its own stream of random numbers, from `seed` and the
    number of the row, so that its draws do not depend on the other rows. `repetition_penalty` divides the positive
    logits of ids that the row already has and multiplies the negative ones, before anything else.
    Source: Holtzman et al. 2020, arXiv 1904.09751 (top-p).

    Raises SpecError E744 with all invalid values, and for `top_k` or `top_p` at temperature 0.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        found = Collector()
        if real("temperature", self.temperature, found) and not 0 <= self.temperature < math.inf:
            found.error("E744", f"`temperature` must be a number of at least 0, got {self.temperature}", None)
        if self.top_k is not None and whole("top_k", self.top_k, found) and self.top_k < 1:
            found.error("E744", f"`top_k` must be at least 1, got {self.top_k}", None)
        if self.top_p is not None and real("top_p", self.top_p, found) and not 0 < self.top_p <= 1:
            found.error("E744", f"`top_p` must be above 0 and at most 1, got {self.top_p}", None)
        if whole("seed", self.seed, found) and self.seed < 0:
            found.error("E744", f"`seed` must not be negative, got {self.seed}", None)
        penalty = self.repetition_penalty
        if real("repetition_penalty", penalty, found) and not 0 < penalty < math.inf:
            message = f"`repetition_penalty` must be a number above 0, got {penalty}"
            found.error("E744", message, None)
        for name in ("top_k", "top_p"):
            if self.temperature == 0 and getattr(self, name) is not None:
                help = "give a `temperature`, such as 1"
                found.error(
                    "E744", f"`{name}` has no effect at temperature 0, which takes the most likely id", None, help=help
                )
        found.raise_if_errors()

    def stream(self, row: int) -> Generator:
        """The generator of random numbers of a row."""
        # A seed of two numbers gives each row a stream of its own.
        return np.random.default_rng([self.seed, row])


def choose(logits: Tensor, sampling: Sampling, streams: Sequence[Generator]) -> list[int]:
    """Choose an id for each row.

    Args:
        logits: [rows, vocab], minus infinity for ids that must not be chosen.
        sampling: how ids are chosen.
        streams: the random numbers of each row; one number per row is drawn, none at temperature 0.

    Raises:
        SpecError: E747 for a NaN, for plus infinity, and for a row without a finite logit.
    """
    require_numbers(logits)
    if sampling.temperature == 0:
        return [int(found) for found in logits.argmax(-1)]
    below = distribution(logits, sampling).cumsum(-1)
    drawn = torch.tensor([stream.random() for stream in streams], dtype=torch.float64, device=logits.device)
    # The last sum need not be exactly 1, so marks are scaled by it.
    marks = drawn[:, None] * below[:, -1:]
    # The last id with a probability above 0 is the first whose cumulative sum is the whole sum. Rounding may put a mark
    # at the whole sum, which `searchsorted` would place after all ids.
    last = (below < below[:, -1:]).sum(-1)
    found = torch.searchsorted(below, marks, right=True)[:, 0]
    return [int(one) for one in torch.minimum(found, last)]


def require_numbers(logits: Tensor) -> None:
    """Raise SpecError E747 for logits from which no id can be chosen."""
    # The maximum of a row with a NaN is NaN.
    best = logits.amax(-1)
    wrong = {
        "NaN": bool(best.isnan().any()),
        "inf": bool((best == math.inf).any()),
        "-inf for every id": bool((best == -math.inf).any()),
    }
    found = [name for name, is_so in wrong.items() if is_so]
    if found:
        help = "check the weights: a model in half precision may overflow"
        fail("E747", f"no id can be chosen from these logits: they contain {' and '.join(found)}", None, help=help)


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities with which ids are drawn, float64 [rows, vocab], from logits [rows, vocab].

    The temperature must be above 0.
    """
    scores = logits.double()
    # The largest score becomes 0: a small temperature then makes the others minus infinite, and none infinite.
    scores = (scores - scores.amax(-1, keepdim=True)) / sampling.temperature
    if sampling.top_k is not None:
        # `torch.topk` breaks ties in an unspecified order; a stable sort puts the lower id first.
        order = scores.sort(dim=-1, descending=True, stable=True).indices[:, : sampling.top_k]
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, True)
        scores = scores.masked_fill(~kept, -math.inf)
    if sampling.top_p is not None:
        ordered, order = scores.softmax(-1).sort(dim=-1, descending=True, stable=True)
        # An id is dropped if the more likely ones reach `top_p` without it, so that the most likely one is always kept.
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        scores = scores.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -math.inf)
    return scores.softmax(-1)
