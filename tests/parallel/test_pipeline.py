"""Stages of a pipeline against one process that accumulates the same micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from torch import Tensor

from archspec.checking import accepted
from archspec.lower.emission import with_masks
from archspec.parallel.pipeline import emit_pipeline
from archspec.parallel.staging import Staged, staged
from archspec.spec import load
from tests.parallel.emitted import class_name, differs, emitted, loaded, outputs, whole
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


def stages_of(name: str, count: int) -> Staged:
    spec = load(name, reduced=True)
    return staged(spec.name, with_masks(spec), count)


def test_a_tied_table_is_told() -> None:
    assert stages_of("gpt2", 2).tied == {"source.table": [0, 1]}
    assert stages_of("llama-3-8b", 2).tied == {}


def test_a_stage_receives_what_depends_on_parameters_alone() -> None:
    first, second = stages_of("bert-base", 2).graphs
    assert (first.received, second.received) == (0, 1)
    assert [one.name for one in second.graph.inputs[1:]] == ["valid"]
    # T5's decoder embeds its tokens itself, where it has the encoder's result.
    _, decoder = stages_of("t5-small", 2).graphs
    assert [str(one.type) for one in decoder.graph.inputs[: decoder.received]] == ["float[batch, src, 32]"]
    # Its second layer needs what the first one gives as well, and the table of positions.
    second = stages_of("t5-small", 5).graphs[3]
    assert sorted(str(one.type) for one in second.graph.inputs[: second.received]) == [
        "float[1, 4, tgt, tgt]",
        "float[batch, src, 32]",
        "float[batch, tgt, 32]",
    ]


@pytest.mark.parametrize(
    ("name", "count"), [("gpt2", 3), ("t5-small", 5), ("bert-base", 2), ("segformer-b0", 4), ("whisper-tiny", 3)]
)
def test_stages_in_a_row_are_the_model_and_send_what_is_told(name: str, count: int) -> None:
    spec = load(name, reduced=True)
    made = stages_of(name, count)
    texts, _ = emitted(spec, 1)
    sizes = {dim: one.typical for dim, one in spec.dims.items()}
    files, reference = emit_pipeline(accepted(spec), count), whole(texts)
    inputs = {key: one.double() if one.is_floating_point() else one for key, one in texts.inputs.items()}
    given: list[Tensor] = []
    for number, stage in enumerate(made.graphs):
        code = loaded(files[f"stage_{number}.py"])
        module = code[class_name(f"{spec.name}-stage-{number}")]().double().eval()
        state = reference.state_dict()
        module.load_state_dict({one: state[stage.name_in_model(one)] for one in module.state_dict()})
        own = {one.name: inputs[one.name] for one in stage.graph.inputs[stage.received :]}
        result = module(*given, **own)
        given = [result] if isinstance(result, Tensor) else list(result)
        if number < count - 1:
            assert [tuple(one.shape) for one in given] == [
                tuple(size.value(sizes) for size in type_.shape) for type_ in made.sends(number)
            ]
    wanted = outputs(reference, inputs)
    assert max(differs(a, b) for a, b in zip(given, wanted, strict=True)) < 1e-10


@pytest.mark.parametrize("schedules", [FIRST, pytest.param(MORE, marks=pytest.mark.slow)], ids=["first", "more"])
def test_gradients_of_two_stages(schedules: Mapping[str, str], ranks: Ranks, tmp_path: Path) -> None:
    jobs = [pipelined(name, schedule, 2) for name, schedule in schedules.items()]
    check(jobs, ranks.run(2, compared, jobs, str(tmp_path), 2))


def test_gradients_of_two_stages_on_two_tensor_ranks_each(ranks: Ranks, tmp_path: Path) -> None:
    jobs = [pipelined(name, "1F1B", 2, 2, vocab="96") for name in ("llama-3-8b", "gpt2")]
    check(jobs, ranks.run(4, compared, jobs, str(tmp_path), 2))
