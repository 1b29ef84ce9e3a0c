"""The judge of a model against its original: what is compared, what is not, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archspec.contract.held import CLAIM, Recording, hold
from archspec.contract.protocol import Subject
from archspec.model.runner import Array, FunctionRunner
from archspec.spec.claims import Claims, read_claims

RULES = """\
archspec: 1
name: encoder
dims: {batch: [1, 2, 4], length: [1, 4, 8]}
inputs:
  ids: int64[batch, length] < 50
  valid: bool[batch, length]
outputs:
  states: float[batch, length, 3]
  best: int64[batch]
rules:
  - ignores: {output: states, input: ids, where: not valid}
"""
SIZES = {"batch": 2, "length": 4}
VALID = np.array([[True, True, True, True], [True, True, False, False]])
IDS = np.arange(8).reshape(2, 4)
BEST = np.array([3, 1])


@pytest.fixture(scope="module")
def claims() -> Claims:
    return read_claims(RULES)


def states() -> Array:
    return np.linspace(-2, 1, 24).reshape(2, 4, 3)


def recording(outputs: Mapping[str, Any], exact: Mapping[str, Any] | None = None) -> Recording:
    return Recording(inputs={"ids": IDS, "valid": VALID}, sizes=SIZES, outputs=outputs, exact=exact or {})


def giving(found: Mapping[str, Any], exact: Mapping[str, Any] | None = None) -> Subject:
    """A subject that gives these outputs, and others in float64."""
    subject = Subject(name="made", runner=FunctionRunner(function=lambda arrays: found))
    return subject if exact is None else replace(subject, exact=FunctionRunner(function=lambda arrays: exact))


def with_value(place: tuple[int, ...], value: float) -> Array:
    made = states()
    made[place] = value
    return made


def test_what_agrees_within_the_tolerance_of_the_largest_value_holds(claims: Claims) -> None:
    near = states() + 1.9e-5
    held = hold(claims, giving({"states": near, "best": BEST}), [recording({"states": states(), "best": BEST})])
    found = held.finding()
    assert (found.claim, found.status, found.trials) == (CLAIM, "holds", 1)
    # The largest value of the valid positions is 2, in magnitude.
    assert found.largest == pytest.approx(1.9e-5 / 2)
    excluded = "without the positions that rules exclude with `where`"
    assert found.detail == f"in float32 alone; {excluded}; at batch=2, length=4"


def test_a_difference_names_output_place_and_both_values(claims: Claims) -> None:
    wrong = with_value((1, 1, 2), 0.25)
    found = hold(claims, giving({"states": wrong}), [recording({"states": states()})]).finding()
    wanted = states()[1, 1, 2]
    assert found.status == "violated"
    share = (wanted - 0.25 if wanted > 0.25 else 0.25 - wanted) / 2
    apart = f"apart by {share:.2g} of the output's largest value"
    assert found.detail == (f"`states[1, 1, 2]` is 0.25, the original has {wanted:.17g}: {apart}, at batch=2, length=4")


def test_small_outputs_are_measured_by_their_own_scale(claims: Claims) -> None:
    small = states() * 1e-4
    apart = small + 1e-8
    assert hold(claims, giving({"states": apart}), [recording({"states": small})]).mismatches


@pytest.mark.parametrize("value", [5.0, np.nan, np.inf])
def test_padded_positions_are_not_compared(claims: Claims, value: float) -> None:
    padded = with_value((1, 3, 0), value)
    for found, wanted in ((padded, states()), (states(), padded)):
        assert hold(claims, giving({"states": found}), [recording({"states": wanted})]).finding().status == "holds"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_equal_to_nothing(claims: Claims, value: float) -> None:
    odd = with_value((0, 2, 1), value)
    for found, wanted in ((odd, states()), (states(), odd), (odd, odd)):
        held = hold(claims, giving({"states": found}), [recording({"states": wanted})])
        assert held.mismatches[0].place == (0, 2, 1)
        assert held.finding().largest == np.inf


def test_integers_are_equal_or_not(claims: Claims) -> None:
    held = hold(claims, giving({"best": np.array([3, 2])}), [recording({"best": BEST})])
    assert str(held.mismatches[0]).startswith("`best[1]` is 2, the original has 1: apart by 1 of the")


def test_other_shapes_are_told(claims: Claims) -> None:
    held = hold(claims, giving({"states": states()[:, :3]}), [recording({"states": states()})])
    assert str(held.mismatches[0]) == (
        "`states` is of shape [2, 3, 3], the original has [2, 4, 3], at batch=2, length=4"
    )


def test_float64_is_held_to_float64(claims: Claims) -> None:
    rounded = states().astype(np.float32)
    given = recording({"states": states()}, {"states": states()})
    held = hold(claims, giving({"states": rounded}, {"states": states()}), [given])
    assert held.exact == 0 and 0 < held.largest < 1e-7
    found = hold(claims, giving({"states": rounded}, {"states": states() + 4e-9}), [given]).finding()
    assert found.status == "violated"
    assert found.detail.endswith("of the output's largest value, in float64, at batch=2, length=4")


def test_without_a_position_nothing_is_called_equal(claims: Claims) -> None:
    none = replace(recording({"states": states()}), inputs={"ids": IDS, "valid": np.zeros((2, 4), dtype=bool)})
    held = hold(claims, giving({"states": states()}), [none])
    assert held.compared == frozenset()
    assert held.finding().status == "not measured"


def test_float32_is_held_to_its_bound_where_float64_is_equal(claims: Claims) -> None:
    given = recording({"states": states()}, {"states": states()})
    apart = giving({"states": states() + 1e-4}, {"states": states()})
    held = hold(claims, apart, [given])
    assert held.exact == 0
    assert held.finding().status == "violated"
