"""Mistakes of caches at places of shipped decoders are caught by the contract, or change nothing."""

from __future__ import annotations

import random
from functools import cache

import pytest

from tests.mutation.cached import OPERATORS
from tests.mutation.cached_source import PATTERNS, SourceCourt
from tests.mutation.shipped import alone_in_kind, decoders
from tests.mutation.stepping import StepCourt

OF_GRAPHS, OF_SOURCES = 8, 2
"""How many mistakes of a spec are tried; `tools/mutants --level cache` tries all."""
DECODERS = alone_in_kind(decoders())
court = cache(StepCourt)


@cache
def source_court(name: str) -> SourceCourt:
    return SourceCourt(court(name).spec)


@pytest.mark.parametrize("name", DECODERS)
def test_mistakes_in_a_step_are_caught(name: str) -> None:
    known = list(court(name).mistakes())
    drawn = random.Random(name).sample(known, OF_GRAPHS)
    found = [(mistake.operator, mistake.place, court(name).outcome(mistake)) for mistake in drawn]
    assert [one for one in found if one[2].status == "missed"] == []
    assert sum(outcome.status == "caught" for *_, outcome in found) >= OF_GRAPHS - 1


@pytest.mark.parametrize("name", DECODERS)
def test_mistakes_in_the_source_of_a_step_are_caught(name: str) -> None:
    known = list(source_court(name).mistakes())
    drawn = random.Random(name).sample(known, OF_SOURCES)
    found = [(mistake.operator, mistake.line, source_court(name).outcome(mistake.source)) for mistake in drawn]
    assert [one for one in found if one[2].status != "caught"] == []


def test_every_operator_has_a_site() -> None:
    names = ["mistral-7b", "t5-base", "gpt2"]
    assert {mistake.operator for name in names for mistake in court(name).mistakes()} == set(OPERATORS)
    assert {mistake.operator for name in names for mistake in source_court(name).mistakes()} == set(PATTERNS)


@pytest.mark.parametrize("name", ["mistral-7b", "transformer-base"])
def test_a_step_without_a_mistake_is_not_caught(name: str) -> None:
    assert court(name).outcome(None).status == "equivalent"
    assert source_court(name).outcome(source_court(name).source).status == "missed"
