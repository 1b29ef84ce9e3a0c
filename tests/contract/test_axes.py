"""The contract changes and holds positions along the axis that a rule names, at the positions for which it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from archspec.contract.protocol import Subject
from archspec.contract.verify import verify
from archspec.model.runner import FunctionRunner
from archspec.spec.claims import read_claims

CLAIMS = """archspec: 1
name: claimed
dims: {batch: [1, 3, 4], time: [2, 6, 9]}
inputs:
  x: float[batch, 5, time]
  valid: bool[batch, time]
outputs: {y: "float[batch, 5, time]"}
rules:
"""
Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


def judged(function: Function, *rules: str) -> list[str]:
    """The status of each rule for a function of `x` and `valid`, in float64."""
    claims = read_claims(CLAIMS + "".join(f"  - {rule}\n" for rule in rules))

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"y": function(arrays["x"].astype(np.float64), arrays["valid"])}

    found = verify(Subject(name="function", runner=FunctionRunner(function=run)), claims).findings
    by_claim = {one.claim: one.status for one in found}
    return [by_claim[str(rule)] for rule in claims.rules]


def summed(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Position i holds the sum of its own channel up to i."""
    return np.cumsum(x, axis=2)


def mixed(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Every channel reads itself and those before it, at its own time."""
    return np.cumsum(x, axis=1)


def open_at_padding(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The sum up to i where position i is valid, else the sum of all."""
    return np.where(valid[:, None, :], np.cumsum(x, axis=2), x.sum(2, keepdims=True))


def hidden(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The sum over valid positions, channel by channel."""
    return np.where(valid[:, None, :], x, 0.0).sum(2, keepdims=True) + 0.0 * x


def test_time_is_compared_and_not_channels() -> None:
    rules = ("causal: {output: y, input: x}", "causal: {output: y, input: x, axis: 1}")
    assert judged(summed, *rules) == ["holds", "holds"]
    assert judged(mixed, *rules) == ["holds", "holds"]
    assert judged(lambda x, valid: summed(x[:, :, ::-1], valid)[:, :, ::-1], *rules) == ["violated", "holds"]
    assert judged(lambda x, valid: mixed(x[:, ::-1], valid)[:, ::-1], *rules) == ["holds", "violated"]


@pytest.mark.parametrize(("axis", "status"), [("-1", "violated"), ("1", "holds")])
def test_a_window_is_measured_along_its_axis(axis: str, status: str) -> None:
    rule = f"window: {{output: y, input: x, back: 0, ahead: 0, axis: {axis}}}"
    assert judged(summed, rule) == [status]


def test_each_value_has_an_axis_of_its_own() -> None:
    # Output channel i holds the sum of the input up to time i; of five channels the last may see no more.
    def turned(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
        sums = np.cumsum(x.sum(1), axis=1)
        kept = np.stack([sums[:, min(k, sums.shape[1] - 1)] for k in range(5)], axis=1)
        return np.repeat(kept[:, :, None], x.shape[2], axis=2)

    text = CLAIMS.replace("float[batch, 5, time]", "float[batch, 5, 5]").replace(
        "bool[batch, time]", "bool[batch, time]"
    )
    claims = read_claims(
        text + "  - causal: {output: y, input: x, axis: [1, 2]}\n  - causal: {output: y, input: x, axis: [2, 1]}\n"
    )
    runner = FunctionRunner(function=lambda arrays: {"y": turned(arrays["x"].astype(np.float64), arrays["valid"])})
    found = {one.claim: one.status for one in verify(Subject(name="turned", runner=runner), claims).findings}
    assert [found[str(rule)] for rule in claims.rules] == ["holds", "violated"]


@pytest.mark.parametrize(
    ("at", "status"), [("", "violated"), (", at: valid", "holds"), (", at: not valid", "violated")]
)
def test_a_rule_is_held_where_it_speaks(at: str, status: str) -> None:
    assert judged(open_at_padding, f"causal: {{output: y, input: x{at}}}") == [status]
    assert judged(open_at_padding, f"window: {{output: y, input: x, back: 20, ahead: 0{at}}}") == [status]
    assert judged(open_at_padding, f"within: {{output: y, input: x, mask: causal{at}}}") == [status]


def test_a_predicate_stands_over_its_own_axis() -> None:
    rule = "ignores: {output: y, input: x, where: not valid}"
    assert judged(hidden, rule) == ["holds"]
    assert judged(lambda x, valid: x.sum(2, keepdims=True) + 0.0 * x, rule) == ["violated"]


def test_what_must_be_seen_is_seen_along_the_axis() -> None:
    rules = ("covers: {output: y, input: x, mask: causal}", "covers: {output: y, input: x, mask: causal, axis: 1}")
    assert judged(summed, *rules) == ["holds", "violated"]
    assert judged(mixed, *rules) == ["violated", "holds"]
