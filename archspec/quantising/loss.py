"""What quantised weights cost: the scores of a model with them, compared with those of the same model with floats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Loss:
    """How far scores of classes along a last axis are apart, over all positions.

    Fields:
        positions: how many positions were compared.
        kl: the mean Kullback-Leibler divergence from the floats' distribution, in nats.
        agreement: the share of positions at which both choose the same class.
        largest: the largest difference of a score, and `scale` the largest score of the floats.
        flip: the first row and position at which they choose differently, with both choices; None if nowhere.
        known: at how many of them the right class is known.
        likelihood: the mean log-likelihoods of the classes that are right, with floats and with integers; None where
            these are not known.
        accuracy: the shares of positions at which the right class is chosen, in the same way.
    """

    positions: int
    kl: float
    agreement: float
    largest: float
    scale: float
    flip: tuple[int, int, int, int] | None = None
    known: int = 0
    likelihood: tuple[float, float] | None = None
    accuracy: tuple[float, float] | None = None


@dataclass
class Tally:
    """Sums over the rows that were compared so far; `loss` is their mean."""

    positions: int = 0
    known: int = 0
    rows: int = 0
    kl: float = 0.0
    same: int = 0
    largest: float = 0.0
    scale: float = 0.0
    flip: tuple[int, int, int, int] | None = None
    likelihood: tuple[float, float] = (0.0, 0.0)
    right: tuple[int, int] = (0, 0)

    def add(self, floats: Array, integers: Array, counted: Array, right: Array | None) -> None:
        """Add one row.

        Args:
            floats: scores [positions, classes] of the model with floats.
            integers: those of the model with quantised weights.
            counted: bool [positions], the positions that count.
            right: int [positions], the right class of each, below zero where it is not known; None for all.
        """
        import numpy as np

        one, two = _logarithms(floats), _logarithms(integers)
        chosen = one.argmax(-1), two.argmax(-1)
        self.kl += float(((np.exp(one) * (one - two)).sum(-1) * counted).sum())
        differs = (chosen[0] != chosen[1]) & counted
        if self.flip is None and differs.any():
            place = int(differs.argmax())
            self.flip = (self.rows, place, int(chosen[0][place]), int(chosen[1][place]))
        self.positions += int(counted.sum())
        self.same += int((counted & ~differs).sum())
        apart = np.abs(floats.astype(np.float64) - integers.astype(np.float64))[counted]
        self.largest = max(self.largest, float(apart.max(initial=0.0)))
        self.scale = max(self.scale, float(np.abs(floats[counted]).max(initial=0.0)))
        self.rows += 1
        if right is not None:
            self._judge((one, two), chosen, counted & (right >= 0), right)

    def _judge(self, logarithms: tuple[Array, Array], chosen: tuple[Array, Array], at: Array, right: Array) -> None:
        """Add how likely the right classes are, and how often they are chosen."""
        places, classes = at.nonzero()[0], right[at]
        self.known += len(places)
        first, second = (float(one[places, classes].sum()) for one in logarithms)
        self.likelihood = self.likelihood[0] + first, self.likelihood[1] + second
        hits = [int((one[places] == classes).sum()) for one in chosen]
        self.right = self.right[0] + hits[0], self.right[1] + hits[1]

    @property
    def loss(self) -> Loss:
        """The means. Raises ZeroDivisionError where nothing was compared."""
        count, known = self.positions, self.known
        return Loss(
            positions=count,
            kl=self.kl / count,
            agreement=self.same / count,
            largest=self.largest,
            scale=self.scale,
            flip=self.flip,
            known=known,
            likelihood=(self.likelihood[0] / known, self.likelihood[1] / known) if known else None,
            accuracy=(self.right[0] / known, self.right[1] / known) if known else None,
        )


def _logarithms(scores: Array) -> Array:
    """The logarithms of the probabilities of classes, in float64."""
    import numpy as np

    wide = scores.astype(np.float64)
    shifted = wide - wide.max(-1, keepdims=True)
    found: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return found


def exponential(x: float) -> float:
    """`exp(x)`, infinite where a float cannot hold it."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def measures(loss: Loss) -> dict[str, float]:
    """What a limit may be set for, each the larger the more is lost.

    They are `kl`, `disagreement` (the share of positions with another first choice) and, where the right classes are
    known, `perplexity` (by which share it grew) and `accuracy` (the share of positions lost, below zero for a gain).
    """
    found = {"kl": loss.kl, "disagreement": 1.0 - loss.agreement}
    if loss.likelihood is not None and loss.accuracy is not None:
        found["perplexity"] = exponential(loss.likelihood[0] - loss.likelihood[1]) - 1.0
        found["accuracy"] = loss.accuracy[0] - loss.accuracy[1]
    return found
