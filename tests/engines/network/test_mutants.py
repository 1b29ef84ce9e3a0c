"""Every mistake in a lowered network is caught before the network is compiled."""

from __future__ import annotations

from collections import Counter
from functools import cache, partial
from pathlib import Path

import pytest

from archspec.bundle.parity import float_arrays
from tests.engines.network.judging import Court, is_equivalent, lowered
from tests.engines.network.mutations import OPERATORS, mutants

WANTED = {
    "gpt2": {"drop the mask or guard", "flip a comparison", "lose equality", "lose the scale"},
    "vit-b16": {"parts in reverse", "another axis of a table", "lose the softmax"},
    "transformer-base": {"drop the mask or guard", "invert the mask or guard", "drop a negation", "swap axes"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WANTED)
def test_every_mistake_in_a_network_is_caught(name: str, tmp_path: Path) -> None:
    # A second layer has the same network, and every mutant would be judged on both.
    case = lowered(name, tmp_path, set=["layers=1"] if name == "transformer-base" else ())
    court = Court(case, float_arrays(case.program.weights))
    assert court.verdict(case.plan) is None
    equivalent = cache(partial(is_equivalent, case, court))
    tried: Counter[str] = Counter()
    for mutant in mutants(case.plan):
        tried[mutant.operator] += 1
        if court.verdict(mutant.plan, equivalent) is None:
            assert equivalent(mutant.plan), (mutant.operator, mutant.site)
    assert set(tried) >= WANTED[name]
    assert set(tried) <= set(OPERATORS)
    assert sum(tried.values()) > 100
