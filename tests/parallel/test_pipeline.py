"""Stages of a pipeline against one process that accumulates the same micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from archspec.checking import accepted
from archspec.parallel.pipeline import emit_pipeline, stages_of, tied
from archspec.spec import load
from tests.parallel.emitted import emitted, whole
from tests.parallel.pipelined import Compared, Pipelined, compared
from tests.parallel.ranks import Ranks

FIRST = {"llama-3-8b": "GPipe", "gpt2": "1F1B", "bert-base": "GPipe", "t5-small": "1F1B"}
MORE = {
    "segformer-b0": "1F1B",
    "vit-b16": "GPipe",
    "albert-base": "1F1B",
    "modernbert-base": "GPipe",
    "mixtral-8x7b": "1F1B",
}


def pipelined(name: str, schedule: str, stages: int, tensor: int | None = None, **dims: str) -> Pipelined:
    spec = load(name, reduced=True, set=dims)
    sizes = {dim: one.typical for dim, one in spec.dims.items()} | {"batch": 4}
    texts, _ = emitted(spec, 2, sizes)
    files = emit_pipeline(accepted(spec), stages, tensor=tensor)
    return Pipelined(name=name, files=files, texts=texts, schedule=schedule)


def check(jobs: list[Pipelined], found: list[list[Compared]]) -> None:
    """Every rank agrees with one process, and the stages hold all of the model."""
    for number, job in enumerate(jobs):
        parts = [rank[number] for rank in found]
        assert max(one.losses for one in parts) < 1e-10, job.name
        assert max(one.gradients for one in parts) < 1e-10, job.name
        assert frozenset[str]().union(*(one.names for one in parts)) == set(whole(job.texts).state_dict()), job.name


def test_a_tied_table_is_told() -> None:
    assert tied(stages_of(load("gpt2", reduced=True), 2)) == {"source.table": [0, 1]}
    assert tied(stages_of(load("llama-3-8b", reduced=True), 2)) == {}


def test_a_stage_receives_what_depends_on_parameters_alone() -> None:
    first, second = stages_of(load("bert-base", reduced=True), 2)
    assert (first.received, second.received) == (0, 1)
    assert [one.name for one in second.graph.inputs[1:]] == ["valid"]
    # T5's decoder has the encoder's result, its embedded tokens and its table of positions.
    _, decoder = stages_of(load("t5-small", reduced=True), 2)
    assert [str(one.type) for one in decoder.graph.inputs[: decoder.received]] == [
        "float[batch, src, 32]",
        "float[batch, tgt, 32]",
        "float[1, 4, tgt, tgt]",
    ]


@pytest.mark.parametrize("schedules", [FIRST, pytest.param(MORE, marks=pytest.mark.slow)], ids=["first", "more"])
def test_gradients_of_two_stages(schedules: Mapping[str, str], ranks: Ranks, tmp_path: Path) -> None:
    jobs = [pipelined(name, schedule, 2) for name, schedule in schedules.items()]
    check(jobs, ranks.run(2, compared, jobs, str(tmp_path), 2))


def test_gradients_of_two_stages_on_two_tensor_ranks_each(ranks: Ranks, tmp_path: Path) -> None:
    jobs = [pipelined(name, "1F1B", 2, 2, vocab="96") for name in ("llama-3-8b", "gpt2")]
    check(jobs, ranks.run(4, compared, jobs, str(tmp_path), 2))
