"""Random graphs: where nothing bars it, steps give what the full run gives; where something does, it is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.passes.round_kept import RoundKept
from tests.passes.random_graphs import Random
from tests.passes.stepping import Stepping, largest

SCHEDULE = [(3, 1), (1, 1), (2, 4), (0, 1)]
FEW = range(40)
# 2,000 of each kind were run when the pass was written: `RANDOM_GRAPHS=2000 pytest -m slow` runs them again.
MANY = range(40, int(os.environ.get("RANDOM_GRAPHS", "200")))


def agrees(seed: int) -> bool:
    run = Stepping(Random(seed, barred=False).graph, "x", "y", rows=2, total=7, seed=seed)
    scale = max(1.0, float(np.abs(run.full(0, 6)).max()))
    return largest(run, SCHEDULE) < 1e-10 * scale


def agrees_rounded(seed: int) -> bool:
    graph = RoundKept(fed="x", output="y").run(Random(seed, barred=False).graph).graph
    run = Stepping(graph, "x", "y", rows=2, total=7, seed=seed)
    for path in (path for path in run.parameters if path.endswith("_kept.scale")):
        run.parameters[path] = 0.01 + 0.05 * np.abs(run.parameters[path])
    scale = max(1.0, float(np.abs(run.full(0, 6)).max()))
    return largest(run, SCHEDULE) < 1e-9 * scale


def refused(seed: int) -> bool:
    try:
        Stepping(Random(seed, barred=True).graph, "x", "y", rows=2, total=7)
    except SpecError as error:
        return [found.code for found in error.diagnostics] == ["E748"]
    return False


def test_steps_agree_with_the_full_run() -> None:
    assert [seed for seed in FEW if not agrees(seed)] == []


def test_steps_that_keep_integers_agree_with_the_full_run_that_rounds() -> None:
    assert [seed for seed in FEW if not agrees_rounded(seed)] == []


def test_what_bars_steps_is_refused() -> None:
    assert [seed for seed in FEW if not refused(seed)] == []


@pytest.mark.slow
def test_steps_agree_with_the_full_run_on_many_graphs() -> None:
    assert [seed for seed in MANY if not agrees(seed)] == []


@pytest.mark.slow
def test_steps_that_keep_integers_agree_on_many_graphs() -> None:
    assert [seed for seed in MANY if not agrees_rounded(seed)] == []


@pytest.mark.slow
def test_what_bars_steps_is_refused_in_many_graphs() -> None:
    assert [seed for seed in MANY if not refused(seed)] == []
