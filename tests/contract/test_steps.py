"""The contract holds a decoder's cached step to its full forward, and names the first row that differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from archspec.checking import accepted
from archspec.contract.compiled import verify_compiled
from archspec.contract.courses import CoursePlan, courses
from archspec.contract.fitting import model_subject
from archspec.contract.report import Finding
from archspec.contract.stepped import CLAIM, decoded
from archspec.contract.verify import in_steps, verify
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.spec import load
from archspec.spec.claims import Claims, claims_of, load_claims
from archspec.testing import assert_contract
from tests.decoding import specs
from tests.lower.test_cached_steps import MISTAKES


class Kept(NamedTuple):
    """The cache of a module that is written by hand."""

    past: Tensor
    sums: Tensor


class Sums(nn.Module):
    """A model of another kind with the same methods: logits are sums over all positions so far, kept as one number."""

    def __init__(self, mistake: str = "") -> None:
        super().__init__()
        self.table = nn.Embedding(41, 41)
        self.mistake = mistake

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids).cumsum(1)

    def new_cache(self, rows: int, capacity: int) -> Kept:
        return Kept(torch.zeros(rows, dtype=torch.int64), self.table.weight.new_zeros(rows, 41))

    def step(self, ids: Tensor, cache: Kept, counts: Tensor | None = None) -> tuple[Tensor, Kept]:
        counts = torch.full_like(cache.past, ids.shape[1]) if counts is None else counts
        own = torch.arange(ids.shape[1]) < counts[:, None]
        if self.mistake == "padding counted":
            own = own | True
        before = cache.sums if self.mistake == "slot not cleared" else cache.sums * (cache.past > 0)[:, None]
        sums = before + (self.table(ids) * own[..., None]).sum(1)
        if self.mistake == "not a number":
            sums = sums / (cache.past != 5)[:, None]
        past = cache.past if self.mistake == "position not advanced" else cache.past + counts
        return sums, Kept(past, sums)


def by_hand(mistake: str, tmp_path: Path) -> Finding:
    claims = claims_of(specs.decoder(tmp_path))
    return in_steps(claims, model_subject(Sums(mistake), claims, "Sums"), 0)


def test_a_module_with_the_same_methods_is_held_to_its_own_forward(tmp_path: Path) -> None:
    found = by_hand("", tmp_path)
    assert (found.claim, found.status) == (CLAIM, "holds")
    assert found.trials > 100


@pytest.mark.parametrize("mistake", ["padding counted", "slot not cleared", "not a number", "position not advanced"])
def test_its_mistakes_are_found(mistake: str, tmp_path: Path) -> None:
    found = by_hand(mistake, tmp_path)
    assert found.status == "violated"
    assert found.detail.startswith("row ")
    assert "fed in chunks of" in found.detail
    assert ("inf in float64" in found.detail) is (mistake == "not a number")


def changed(name: str, old: str, new: str) -> tuple[nn.Module, Claims]:
    """A shipped spec's module with another text at the last place in its source, which is never that of `forward`."""
    spec = load(name, reduced=True)
    source = emit(accepted(spec))
    assert old in source
    return class_in(new.join(source.rsplit(old, 1)), spec.name)(), claims_of(spec)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_emitted_step_are_found(mistake: str) -> None:
    old, new, name = MISTAKES[mistake]
    module, claims = changed(name, old, new)
    assert in_steps(claims, model_subject(module, claims, mistake), 0).status == "violated"


def test_a_chunk_filled_up_beyond_the_largest_size() -> None:
    """Keys that fill up a chunk stand nowhere: at the last position they would be seen by the last query."""
    module, claims = changed(
        "mistral-7b", "torch.where(positions < limit, positions, -1)", "positions.clamp(max=limit - 1)"
    )
    found = in_steps(claims, model_subject(module, claims, "clamped"), 0)
    assert found.status == "violated"
    assert "position 23" in found.detail


def test_assert_contract_judges_the_step() -> None:
    module, claims = changed("gpt2", "past=past + counts", "past=past + ids.shape[1]")
    with pytest.raises(AssertionError, match=f"{CLAIM} +violated"):
        assert_contract(module, claims)


def test_a_module_that_fails_at_a_step_is_reported() -> None:
    module, claims = changed("gpt2", "past=past + counts", "past=nothing")
    report = verify(model_subject(module, claims, "broken"), claims)
    (found,) = report.violations
    assert (found.claim, found.detail[:30]) == ("runs", "`step` of the model fails; Nam")


def test_a_spec_without_a_cached_step_has_no_such_claim(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, attention=", scale: 1/length")
    claims = {found.claim for found in verify_compiled(claims_of(spec)).findings}
    assert CLAIM not in claims


@pytest.mark.parametrize("first", [0, 4])
def test_courses_feed_every_row_from_its_first_position_on(first: int) -> None:
    plan = CoursePlan(rows=3, total=7, capacity=9, first=first)
    made = list(courses(plan, 0))
    assert [course.name for course in made] == [
        "ragged",
        "slots used again",
        "one at a time",
        "three at a time",
        "all at once",
    ]
    for course in made:
        fed: list[Any] = [0, 0, 0]
        for turn in course.turns:
            assert max(turn.counts) > 0
            for row, count in enumerate(turn.counts):
                fed[row] = count if row in turn.again else fed[row] + count
                assert fed[row] <= plan.capacity
    assert {turn.counts[0] for turn in made[2].turns[1:]} == {1}
    assert made[2].turns[0].counts == (max(1, first),) * 3


def test_a_prefix_is_covered_by_the_first_step() -> None:
    known = decoded(load_claims("prefix-lm-base", reduced=True))
    assert known is not None
    assert known.counts == {"given"}
    assert known.found.has_prefix
