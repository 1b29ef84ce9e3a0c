"""What is done to logits before an id is chosen: penalties, least numbers of new ids, ids that end a row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.decoding import decoder
from archspec.decoding.plan import plan
from archspec.decoding.sampling import Sampling
from archspec.decoding.scores import Scores
from archspec.diagnostics import SpecError
from archspec.spec import load
from tests.decoding import specs
from tests.decoding.running import compiled
from tests.editing import edited


def test_the_penalty_is_that_of_transformers(tmp_path: Path) -> None:
    processors = pytest.importorskip("transformers.generation.logits_process")
    rows = [[3, 4, 4, 9], [0], [40, 1]]
    logits = torch.randn(3, 41, generator=torch.Generator().manual_seed(0))
    scores = Scores(plan(specs.decoder(tmp_path)), Sampling(repetition_penalty=1.3), rows, [7], 0)
    found = scores.of(logits, [2, 0, 1], 0)
    for row, own, given in zip((2, 0, 1), found, logits, strict=True):
        expected = processors.RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([rows[row]]), given[None])
        torch.testing.assert_close(own, expected[0], atol=0, rtol=1e-6)


def test_rows_end_neither_too_early_nor_with_what_is_banned(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, end="3")
    spec.path.write_text(edited(spec.path.read_text("utf-8"), ("end: 3}", "end: 3, ban: [5, 6]}")), encoding="utf-8")
    spec = load(spec.path)
    module = compiled(spec)
    drawn: dict[str, Any] = {"module": module, "temperature": 3.0, "max_new": 12}
    early = archspec.generate(spec, [[1]] * 4, stop=range(8, 30), **drawn)
    late = archspec.generate(spec, [[1]] * 4, stop=range(8, 30), min_new=7, **drawn)
    ends = {3, *range(8, 30)}
    assert min(len(row.ids) for row in early) < 7 <= min(len(row.ids) for row in late)
    for row in (*early, *late):
        assert row.ended == (row.ids[-1] in ends)
        assert row.ended or len(row.ids) == 12
        assert not {5, 6} & set(row.ids)
    assert all(not ends & set(row.ids[:7]) for row in late)
    assert all(not ends & set(row.ids[:-1]) for row in early)


def test_log_probabilities_are_those_of_the_full_forward(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec)
    options: dict[str, Any] = {"max_new": 4, "module": module, "temperature": 2.0, "repetition_penalty": 1.5}
    rows = archspec.generate(spec, [[1, 2], [3]], log_probabilities=True, **options)
    plain = archspec.generate(spec, [[1, 2], [3]], **options)
    for row, other in zip(rows, plain, strict=True):
        assert (row.ids, other.log_probabilities) == (other.ids, None)
        assert row.log_probabilities is not None
        ids = torch.tensor([[*row.prompt, *row.ids]])
        with torch.no_grad():
            likely = module(ids[:, :-1]).log_softmax(-1)[0, len(row.prompt) - 1 :]
        expected = likely.gather(-1, ids[0, len(row.prompt) :, None])[:, 0]
        torch.testing.assert_close(torch.tensor(row.log_probabilities).double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_new": 4}, "`min_new` must be from 0 to `max_new`, 3, got 4"),
        ({"min_new": -1}, "`min_new` must be from 0 to `max_new`, 3, got -1"),
        ({"stop": [41]}, "`stop` must be ids of 0 to 40, got 41"),
        ({"stop": [-1]}, "`stop` must be ids of 0 to 40, got -1"),
    ],
)
def test_limits_out_of_range(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    found = decoder(spec, compiled(spec))
    for run in (found.generate, found.stream):
        with pytest.raises(SpecError) as raised:
            run([[1]], max_new=3, **options)
        assert [(one.code, one.message) for one in raised.value.diagnostics] == [("E744", message)]


@pytest.mark.parametrize("penalty", [0, -1, math.nan, math.inf])
def test_penalties_out_of_range(penalty: float) -> None:
    with pytest.raises(SpecError) as raised:
        Sampling(repetition_penalty=penalty)
    assert [one.code for one in raised.value.diagnostics] == ["E744"]
