"""Random files on ranks: emitted modules and their `parallelize.py` against one process, with what they exchange."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archspec.spec import load
from tests.parallel.emitted import Emitted, emitted
from tests.parallel.ranks import Ranks
from tests.parallel.test_tensor_parity import Found, of_plan, parities
from tests.yaml_fuzz.make import file_of

SEED = 2
FOUND = 12
"""An input of the model enters the first layer in parts, and no gradient comes back to it."""
EXPERTS = [25, 28]
"""Layers with three experts, with a shared one and without."""
FEW = [3, FOUND]
MANY = range(40)


@pytest.mark.parametrize("numbers", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def test_random_files(numbers: list[int], ranks: Ranks, tmp_path: Path) -> None:
    jobs: list[Emitted] = []
    plans = []
    for number in numbers:
        (tmp_path / "file.yaml").write_text(file_of(SEED, number).text())
        spec = load(tmp_path / "file.yaml")
        sizes = {name: dim.typical for name, dim in spec.dims.items()}
        texts, made = emitted(spec, 4, sizes)
        if any(made.is_split(node) for node in made.nodes):
            jobs.append(texts)
            plans.append((number, of_plan(made, sizes)))
    assert len(jobs) >= len(numbers) // 3
    for found in ranks.run(4, parities, jobs, 4, torch.float64, timeout=900):
        for one, (number, (counts, given, held)) in zip(found, plans, strict=True):
            check(one, number)
            assert (one.counts, one.given, one.stored) == (counts, given, held), number


def test_random_mixtures(ranks: Ranks, tmp_path: Path) -> None:
    jobs, plans = [], []
    for number in EXPERTS:
        (tmp_path / "file.yaml").write_text(file_of(SEED, number).text())
        spec = load(tmp_path / "file.yaml")
        sizes = {name: dim.typical for name, dim in spec.dims.items()}
        texts, made = emitted(spec, 3, sizes, expert_parallel=True)
        assert [one.reason for one in made.experts] == [None]
        jobs.append(texts)
        plans.append((number, of_plan(made, sizes)))
    for found in ranks.run(3, parities, jobs, 3, torch.float64, timeout=900):
        for one, (number, (counts, given, held)) in zip(found, plans, strict=True):
            check(one, number)
            assert (one.counts, one.given, one.stored) == (counts, given, held), number


def check(one: Found, number: int) -> None:
    assert one.forward < 1e-9, number
    assert one.backward < 1e-9, number
