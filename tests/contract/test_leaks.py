"""A leak under one condition alone is caught, and its condition told; right models raise no alarm."""

from __future__ import annotations

import pytest
import torch

from archspec.testing import assert_contract, read_claims
from tests.contract.leaks import CASES, CHUNKED, PACKED, RIGHT, RULES, Biased, Leaky, SoundlyPacked, windowed
from tests.contract.right import MODELS


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("name", CASES)
def test_a_leak_is_caught(name: str, seed: int) -> None:
    case = CASES[name]
    with pytest.raises(AssertionError) as raised:
        assert_contract(case.build(), read_claims(case.rules), seed=seed)
    report = str(raised.value)
    (line,) = [number for number, text in enumerate(report.splitlines()) if text.strip().startswith(case.claim)]
    assert report.splitlines()[line].endswith("violated"), report
    assert case.says in report.splitlines()[line + 1], report


def test_without_the_leak_they_hold() -> None:
    assert_contract(Leaky(lambda mask, valid: mask), read_claims(RULES))
    assert_contract(Leaky(lambda mask, valid: windowed(mask)), read_claims(CHUNKED))
    assert_contract(SoundlyPacked(), read_claims(PACKED))
    assert_contract(Biased(-torch.finfo(torch.float32).max), read_claims(RIGHT))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("name", MODELS)
def test_a_right_model_raises_no_alarm(name: str, seed: int) -> None:
    right = MODELS[name]
    report = assert_contract(right.build(), read_claims(right.rules), seed=seed)
    assert [found for found in report.findings if found.status != "holds"] == []
