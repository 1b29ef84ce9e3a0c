"""What quantised weights cost, against sums written out position by position."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archspec.quantising.loss import Tally, measures


def test_the_measures_are_those_of_every_position_that_counts() -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.normal(size=(5, 7)), rng.normal(size=(5, 7)), rng.random(5) < 0.7) for _ in range(3)]
    right = rng.integers(-1, 7, size=(3, 5))
    tally, kl, same, log, hits = Tally(), [], [], [], []
    for row, (one, two, counts) in enumerate(rows):
        tally.add(one, two, counts, right[row])
        for place in range(5):
            if not counts[place]:
                continue
            p, q = (np.exp(x[place]) / np.exp(x[place]).sum() for x in (one, two))
            kl.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
            same.append(p.argmax() == q.argmax())
            if (label := right[row, place]) >= 0:
                log.append((math.log(p[label]), math.log(q[label])))
                hits.append((p.argmax() == label, q.argmax() == label))
    found = tally.loss
    assert found.positions == len(kl)
    assert found.kl == pytest.approx(np.mean(kl))
    assert found.agreement == pytest.approx(np.mean(same))
    assert found.likelihood == pytest.approx(np.mean(log, axis=0))
    assert found.accuracy == pytest.approx(np.mean(hits, axis=0))
    known = measures(found)
    assert found.likelihood is not None
    assert known["perplexity"] == pytest.approx(math.exp(found.likelihood[0] - found.likelihood[1]) - 1)
    assert known["disagreement"] == pytest.approx(1 - np.mean(same))


def test_the_first_other_choice_is_named() -> None:
    floats = np.zeros((2, 3, 4))
    floats[..., 1] = 1.0
    integers = floats.copy()
    integers[1, 2, 3] = 5.0
    tally = Tally()
    for one, two in zip(floats, integers, strict=True):
        tally.add(one, two, np.ones(3, dtype=bool), None)
    assert tally.loss.flip == (1, 2, 1, 3)
    assert tally.loss.largest == 5.0
    assert tally.loss.likelihood is None
