"""The distribution that ids are drawn from, against its definition and the warpers of transformers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import archspec
from archspec.checking import accepted
from archspec.decoding import Decoder
from archspec.decoding.sampling import Sampling, choose, distribution
from archspec.diagnostics import SpecError
from tests.decoding import specs
from tests.decoding.running import compiled

OPTIONS = [
    Sampling(temperature=1),
    Sampling(temperature=0.3),
    Sampling(temperature=1, top_k=1),
    Sampling(temperature=1.7, top_k=5),
    Sampling(temperature=1, top_k=1000),
    Sampling(temperature=0.8, top_p=0.7),
    Sampling(temperature=1, top_p=0.01),
    Sampling(temperature=1, top_p=1),
    Sampling(temperature=1.5, top_k=7, top_p=0.6),
]


def logits(rows: int = 4, vocab: int = 30, seed: int = 0) -> Tensor:
    return 2 * torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def defined(row: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """The probabilities of one row, id by id, from the likeliest down."""
    scores = row / sampling.temperature
    weights = np.exp(scores - scores.max())
    order = np.argsort(-scores)
    if sampling.top_k is not None:
        weights[order[sampling.top_k :]] = 0
    share = weights / weights.sum()
    if sampling.top_p is not None:
        reached = 0.0
        for id in order:
            if reached >= sampling.top_p:
                weights[id] = 0
            reached += share[id]
    return weights / weights.sum()


@pytest.mark.parametrize("sampling", OPTIONS, ids=str)
def test_the_distribution_is_as_defined(sampling: Sampling) -> None:
    found = distribution(logits(), sampling).numpy()
    for row, given in zip(found, logits().numpy(), strict=True):
        np.testing.assert_allclose(row, defined(given, sampling), atol=1e-14)


@pytest.mark.parametrize("sampling", OPTIONS, ids=str)
def test_the_distribution_is_that_of_transformers(sampling: Sampling) -> None:
    warpers = pytest.importorskip("transformers.generation.logits_process")
    scores = logits().float()
    scores = warpers.TemperatureLogitsWarper(float(sampling.temperature))(None, scores)
    if sampling.top_k is not None:
        scores = warpers.TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p is not None:
        scores = warpers.TopPLogitsWarper(float(sampling.top_p))(None, scores)
    torch.testing.assert_close(distribution(logits(), sampling).float(), scores.softmax(-1), atol=1e-6, rtol=1e-5)


def test_exactly_k_are_drawn_among_and_ties_go_to_the_lower_id() -> None:
    found = distribution(torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]]), Sampling(temperature=1, top_k=2))
    torch.testing.assert_close(found, torch.tensor([[0, 1, 1, 0, 0]], dtype=torch.float64) / 2)
    equal = torch.zeros(3, 50_000)
    for k in (1, 7, 49_999, 60_000):
        kept = distribution(equal, Sampling(temperature=1, top_k=k)) > 0
        assert (kept.sum(-1) == min(k, 50_000)).all()
        assert kept[:, : min(k, 50_000)].all()


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1)], ids=str)
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0.0, math.nan], "NaN"),
        ([math.inf, 0.0], "inf"),
        ([math.inf, math.nan], "NaN"),
        ([-math.inf, -math.inf], "-inf for every id"),
    ],
)
def test_logits_that_are_not_numbers_are_refused(sampling: Sampling, row: list[float], said: str) -> None:
    with pytest.raises(SpecError) as error:
        choose(torch.tensor([[0.0, 1.0], row]), sampling, [sampling.stream(0), sampling.stream(1)])
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("E747", f"no id can be chosen from these logits: they contain {said}")
    ids = choose(torch.tensor([[0.0, -math.inf]]), sampling, [sampling.stream(0)])
    assert ids == [0]


@pytest.mark.parametrize("sampling", OPTIONS[:2] + OPTIONS[-1:], ids=str)
def test_ids_are_drawn_as_often_as_they_are_likely(sampling: Sampling) -> None:
    count = 20_000
    row = logits(rows=1, vocab=12)
    stream = sampling.stream(0)
    drawn = np.array(choose(row.expand(count, -1), sampling, [stream] * count))
    expected = distribution(row, sampling)[0].numpy()
    counts = np.bincount(drawn, minlength=12)
    assert (counts[expected == 0] == 0).all()
    kept = expected > 0
    chi_squared = ((counts[kept] - count * expected[kept]) ** 2 / (count * expected[kept])).sum()
    freedom = int(kept.sum()) - 1
    assert chi_squared < freedom + 5 * math.sqrt(2 * freedom)


def test_the_edges_of_the_random_numbers_are_ids() -> None:
    class Edge:
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    row = torch.tensor([[-math.inf, 0.3, 0.1, -math.inf]])
    sampling = Sampling(temperature=1)
    assert choose(row, sampling, [Edge(0.0)]) == [1]  # type: ignore[list-item]
    assert choose(row, sampling, [Edge(1 - 2**-53)]) == [2]  # type: ignore[list-item]


def test_the_same_seed_gives_the_same_ids_whatever_stands_beside(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec)
    options = {"max_new": 8, "module": module, "temperature": 2.0, "top_k": 20, "top_p": 0.95}
    first = archspec.generate(spec, [[1], [2, 3], [4]], seed=5, **options)
    assert archspec.generate(spec, [[1], [2, 3], [4]], seed=5, **options) == first
    assert archspec.generate(spec, [[1], [2, 3]], seed=5, **options) == first[:2]
    assert archspec.generate(spec, [[1], [2, 3], [4]], seed=6, **options) != first
    assert archspec.generate(spec, [[1], [1], [1]], seed=5, **options)[0].ids != first[2].ids


def test_top_k_of_one_is_greedy(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    found = Decoder(accepted(spec), compiled(spec).state_dict())
    one = found.generate([[3, 4]], max_new=6, sampling=Sampling(temperature=1, top_k=1))
    assert one == found.generate([[3, 4]], max_new=6)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"temperature": -1}, 1),
        ({"temperature": math.nan}, 1),
        ({"temperature": math.inf}, 1),
        ({"temperature": 1, "top_k": 0}, 1),
        ({"temperature": 1, "top_p": 0}, 1),
        ({"temperature": 1, "top_p": 1.1}, 1),
        ({"top_k": 3}, 1),
        ({"top_p": 0.5, "top_k": 3}, 2),
        ({"seed": -1, "temperature": -2}, 2),
        ({"temperature": "1", "seed": 1.5}, 2),
        ({"temperature": 1, "top_k": 1.5, "top_p": "x"}, 2),
        ({"temperature": None, "seed": None, "repetition_penalty": True}, 3),
    ],
)
def test_options_out_of_range(options: dict[str, float], count: int) -> None:
    with pytest.raises(SpecError) as raised:
        Sampling(**options)  # type: ignore[arg-type]
    assert [one.code for one in raised.value.diagnostics] == ["E744"] * count


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-30])
def test_a_temperature_near_zero_is_greedy(temperature: float) -> None:
    logits = torch.tensor([[-3.0, 2.0, 7.0, 1.0], [1e30, -1e30, 0.0, 2e30], [-math.inf, -5.0, -4.0, -9.0]])
    expected = torch.tensor([2, 3, 2])
    for sampling in (Sampling(temperature=temperature), Sampling(temperature=temperature, top_k=3, top_p=0.9)):
        found = distribution(logits, sampling)
        torch.testing.assert_close(found, torch.nn.functional.one_hot(expected, 4).double())


def test_logits_that_are_not_numbers() -> None:
    for bad in (torch.tensor([[1.0, math.nan]]), torch.full((1, 2), -math.inf)):
        with pytest.raises(SpecError) as raised:
            choose(bad, Sampling(), [])
        assert raised.value.diagnostics[0].code == "E747"
