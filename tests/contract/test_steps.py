"""The contract holds a decoder's cached step to its full forward, and names the first row that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspec.checking import accepted, compile
from archspec.contract.compiled import verify_compiled
from archspec.contract.courses import CoursePlan, courses, twice
from archspec.contract.fitting import model_subject
from archspec.contract.race import Finish
from archspec.contract.report import Finding
from archspec.contract.stepped import CLAIM, Glance, decoded
from archspec.contract.verify import in_steps, verify
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.model.runner import Array, Arrays, FunctionRunner
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


def test_large_weights_that_round_much_are_no_mistake() -> None:
    claims = load_claims("smollm2-135m", reduced=True)
    module = compile(accepted("smollm2-135m", reduced=True)).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for one in module.parameters():
            one.copy_(torch.randn(one.shape, generator=generator) * (3 if one.dim() == 2 else 1))
    subject = model_subject(module, claims, "large", seed=None)
    found = in_steps(claims, subject, 0)
    assert found.status == "holds", found.detail
    # In float32 alone this would be called a difference.
    assert found.largest is not None
    assert subject.precision.parity < found.largest < 1e-3
    assert in_steps(claims, replace(subject, exact=None, exact_steps=None), 0).status == "violated"
    # What float64 cannot show is a mistake all the same.
    assert subject.steps is not None
    wrong = replace(subject, steps=Shifted(subject.steps))
    assert in_steps(claims, wrong, 0).status == "violated"


class Shifted:
    """Steps whose outputs are off by a hundredth of their largest value."""

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.steps, name)

    def step(self, state: Any, fed: Arrays, counts: Array) -> tuple[Array, Any]:
        found, after = self.steps.step(state, fed, counts)
        return found + np.float32(0.01) * np.abs(found).max(), after


def test_a_module_that_fails_at_a_step_is_reported() -> None:
    module, claims = changed("gpt2", "past=past + counts", "past=nothing")
    report = verify(model_subject(module, claims, "broken"), claims)
    (found,) = report.violations
    assert (found.claim, found.detail[:30]) == ("runs", "`step` of the model fails; Nam")


def test_a_spec_without_a_cached_step_has_no_such_claim(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, attention=", scale: 1/length")
    claims = {found.claim for found in verify_compiled(claims_of(spec)).findings}
    assert CLAIM not in claims


CAPACITY = 8 + 5
"""Positions of a small decoder where the contract begins, and those to spare."""


class Counted:
    """Steps in NumPy: the output at a position is the sum of one-hot ids up to it. `mistake` is what is wrong."""

    def __init__(self, mistake: str = "") -> None:
        self.mistake = mistake

    def start(self, rows: int, capacity: int, given: Arrays) -> Array:
        return np.zeros((rows, 41))

    def step(self, state: Array, fed: Arrays, counts: Array) -> tuple[Array, Array]:
        after = self.peek(state, fed, counts, counts - 1)
        after[counts == 0] = state[counts == 0]
        return after, after

    def peek(self, state: Array, fed: Arrays, counts: Array, places: Array) -> Array:
        hot = np.eye(41)[fed["ids"]].cumsum(1)
        inside = (places < counts - 1)[:, None]
        return state + hot[np.arange(len(state)), places] + (0.25 * inside if self.mistake == "inside" else 0)

    def restart(self, state: Array, rows: Sequence[int], given: Arrays) -> Array | None:
        if self.mistake == "no slots":
            return None
        cleared = state.copy()
        cleared[list(rows)] = 0.25 if self.mistake == "not cleared" else 0
        return cleared


def glance(mistake: str, tmp_path: Path) -> Finish:
    known = decoded(claims_of(specs.decoder(tmp_path)))
    assert known is not None
    look = Glance(known=known, seed=0)
    full = FunctionRunner(function=lambda arrays: {"logits": np.eye(41)[arrays["ids"]].cumsum(1)})
    return look.outcome(Counted(mistake), look.wanted(full), 1e-9)


def test_a_glance_compares_every_position_of_two_sequences_a_row(tmp_path: Path) -> None:
    found = glance("", tmp_path)
    assert (found.apart.largest, found.witness, found.note) == (0, "", "")
    assert found.trials == 2 * 3 * CAPACITY


def test_rows_that_cannot_begin_again_rest_while_the_others_go_on(tmp_path: Path) -> None:
    found = glance("no slots", tmp_path)
    assert (found.apart.largest, found.note) == (0, "no row can begin again")
    assert found.trials == 3 * CAPACITY


@pytest.mark.parametrize("mistake", ["inside", "not cleared"])
def test_a_glance_finds_what_is_wrong_inside_a_chunk_and_in_slots(mistake: str, tmp_path: Path) -> None:
    found = glance(mistake, tmp_path)
    assert found.apart.largest == 0.25
    assert found.witness.endswith("(ragged, twice)")


class OffBy:
    """Steps in NumPy whose output is off by `error` where the id is 7."""

    def __init__(self, error: float) -> None:
        self.error, self.steps = error, Counted()

    def start(self, rows: int, capacity: int, given: Arrays) -> Array:
        return self.steps.start(rows, capacity, given)

    def restart(self, state: Array, rows: Sequence[int], given: Arrays) -> Array | None:
        return self.steps.restart(state, rows, given)

    def step(self, state: Array, fed: Arrays, counts: Array) -> tuple[Array, Array]:
        output, after = self.steps.step(state, fed, counts)
        return output + self._off(fed, counts - 1), after

    def peek(self, state: Array, fed: Arrays, counts: Array, places: Array) -> Array:
        return self.steps.peek(state, fed, counts, places) + self._off(fed, places)

    def _off(self, fed: Arrays, places: Array) -> Array:
        return self.error * (fed["ids"][np.arange(len(places)), places] == 7)[:, None]


@pytest.mark.parametrize(
    ("error", "rounding", "holds"),
    [(3.0, 3.5, True), (3.0, 2.5, False), (0.05, 0.0, True), (np.nan, 3.5, False), (3.0, np.nan, False)],
)
def test_a_position_may_be_as_far_off_as_rounding_alone_moves_it(
    error: float, rounding: float, holds: bool, tmp_path: Path
) -> None:
    known = decoded(claims_of(specs.decoder(tmp_path)))
    assert known is not None
    look = Glance(known=known, seed=0)

    def exact(arrays: Arrays) -> dict[str, Array]:
        return {"logits": np.eye(41)[arrays["ids"]].cumsum(1)}

    def rounded(arrays: Arrays) -> dict[str, Array]:
        return {"logits": exact(arrays)["logits"] + rounding * (arrays["ids"] == 7)[..., None]}

    wanted = look.wanted(FunctionRunner(function=exact))
    wanted.round(FunctionRunner(function=rounded))
    found = look.outcome(OffBy(error), wanted, 0.1)
    assert bool(found.witness) != holds
    if holds and rounding > 1:
        # Some positions have the id 7, others do not; all are compared.
        assert 0 < found.rounded < found.trials / 2
        assert f"by {found.apart.share():.2g} of" in found.excuse("bfloat16")
    # Everywhere else a fault is found as before.
    assert look.outcome(Counted("inside"), wanted, 0.1).witness


def test_what_rounding_is_allowed_has_a_limit(tmp_path: Path) -> None:
    known = decoded(claims_of(specs.decoder(tmp_path)))
    assert known is not None
    look = Glance(known=known, seed=0)

    def exact(arrays: Arrays) -> dict[str, Array]:
        return {"logits": np.eye(41)[arrays["ids"]].cumsum(1)}

    def rounded(arrays: Arrays) -> dict[str, Array]:
        return {"logits": exact(arrays)["logits"] + 8.0 * (arrays["ids"] == 7)[..., None]}

    wanted = look.wanted(FunctionRunner(function=exact))
    wanted.round(FunctionRunner(function=rounded), most=0.2)
    # No output is larger than the number of positions so far, of which the id 7 is one.
    assert look.outcome(OffBy(0.15), wanted, 0.01).witness == ""
    assert look.outcome(OffBy(0.25 * CAPACITY), wanted, 0.01).witness


@pytest.mark.parametrize("first", [0, 4])
def test_courses_feed_every_row_from_its_first_position_on(first: int) -> None:
    plan = CoursePlan(rows=3, total=7, capacity=9, first=first)
    made = [*courses(plan, 0), twice(plan, 0)]
    assert [course.name for course in made] == [
        "ragged",
        "slots used again",
        "one at a time",
        "three at a time",
        "all at once",
        "ragged, twice",
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
    for row in range(3):
        chunks = [turn.counts[row] for turn in made[-1].turns]
        (again,) = [number for number, turn in enumerate(made[-1].turns) if row in turn.again]
        assert (sum(chunks[:again]), sum(chunks[again:])) == (9, 9)


def test_a_prefix_is_covered_by_the_first_step() -> None:
    known = decoded(load_claims("prefix-lm-base", reduced=True))
    assert known is not None
    assert known.counts == {"given"}
    assert known.found.has_prefix
