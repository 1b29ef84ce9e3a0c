"""Stages of a pipeline against one process that accumulates the same micro-batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

import archspec
from archspec.checking import accepted
from archspec.cli.parallel_data import proposal_data
from archspec.diagnostics import SpecError
from archspec.lower.emission import with_masks
from archspec.parallel import initialise
from archspec.parallel.pipeline import emit_pipeline
from archspec.parallel.proposal import Proposal, propose
from archspec.parallel.staging import StagedModel, staged
from archspec.spec import load
from tests.parallel.emitted import class_name, differs, emitted, loaded, outputs, whole
from tests.parallel.pipelined import PARTS, Compared, Pipelined, compared
from tests.parallel.ranks import Ranks
from tests.parallel.test_loading import counting, published, reduced

FIRST = {"llama-3-8b": "GPipe", "gpt2": "1F1B", "bert-base": "GPipe", "t5-small": "1F1B"}
MORE = {
    "segformer-b0": "1F1B",
    "vit-b16": "GPipe",
    "albert-base": "1F1B",
    "modernbert-base": "GPipe",
    "mixtral-8x7b": "1F1B",
}
# A stage that begins with attention, one that reads what an encoder gave, and a cut where the whole model has channels
# in parts: these are split otherwise than the whole model, or exchange gradients that only a stage before them has.
SPLIT = {
    "llama-3-8b": {"vocab": "96"},
    "gpt2": {"vocab": "96"},
    "bert-base": {},
    "bart-base": {},
    "mobilenet-v2": {},
    "mpnet-base": {},
}


def pipelined(
    name: str, schedule: str, stages: int, tensor: int | None = None, *, expert_parallel: bool = False, **dims: str
) -> tuple[Pipelined, Proposal]:
    spec = load(name, reduced=True, set={**dims})
    sizes = {dim: one.typical for dim, one in spec.dims.items()} | {"batch": 4}
    texts, _ = emitted(spec, 2, sizes)
    files = emit_pipeline(accepted(spec), stages, tensor=tensor, expert_parallel=expert_parallel)
    # The table is that of one micro-batch.
    one = accepted(load(name, reduced=True, set={**dims, "dims.batch.1": "1"}))
    told = propose(one, tensor, None, stages, None, expert_parallel=expert_parallel)
    return Pipelined(name=name, files=files, texts=texts, schedule=schedule), told


def check(jobs: list[tuple[Pipelined, Proposal]], found: list[list[Compared]]) -> None:
    """Every rank agrees with one process, the stages hold all of the model, and what they do is what the table says."""
    for number, (job, told) in enumerate(jobs):
        parts = [rank[number] for rank in found]
        check_told(job.name, told, parts)
        assert max(one.losses for one in parts) < 1e-10, job.name
        assert max(one.gradients for one in parts) < 1e-10, job.name
        assert frozenset[str]().union(*(one.names for one in parts)) == set(whole(job.texts).state_dict()), job.name


def check_told(name: str, told: Proposal, ranks: list[Compared]) -> None:
    """What `archspec parallel --pipeline` tells of each stage is what each of its ranks holds, gives and sends."""
    data: Any = proposal_data(told)
    # The table tells bytes of float32, and the step was in float64, of several micro-batches.
    wider, times = 8 // 4, PARTS
    counts: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for one in data["collectives"]:
        counts[one["kind"]] += times * one["times"]
        given[one["kind"]] += times * one["bytes"] // 4
    firsts = [next(one for one in ranks if one.stage == number) for number in range(len(data["stages"]))]
    assert sum((one.counts for one in firsts), Counter()) == counts, name
    assert sum((one.given for one in firsts), Counter()) == given, name
    assert max(one.stored for one in ranks) == data["elements"]["rank"], name
    every = set[str]().union(*(one.names for one in ranks))
    tied = {one["parameter"]: one for one in data["tied"]}
    for one in ranks:
        assert (one.counts, one.given) == (firsts[one.stage].counts, firsts[one.stage].given), name
        stage = data["stages"][one.stage]
        assert one.sent == stage["sends_bytes"] * wider * times, name
        own = {key for key, entry in tied.items() if one.stage in entry["stages"]}
        assert one.tied == sum(wider * tied[key]["bytes"] for key in own), name
        alone = {key for key in every - tied.keys() if _unit(key, data["stages"]) in stage["units"]}
        assert one.names == own | alone, name


def _unit(tensor: str, stages: list[Any]) -> str:
    """The layer or other part that a tensor belongs to."""
    units = (unit for stage in stages for unit in stage["units"])
    return max((unit for unit in units if tensor.startswith(f"{unit}.")), key=len)


def stages_of(name: str, count: int) -> StagedModel:
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
    check(jobs, ranks.run(2, compared, [job for job, _ in jobs], str(tmp_path), 2))


def test_gradients_of_two_stages_on_two_tensor_ranks_each(ranks: Ranks, tmp_path: Path) -> None:
    jobs = [pipelined(name, "1F1B", 2, 2, **dims) for name, dims in SPLIT.items()]
    jobs.append(pipelined("mixtral-8x7b", "1F1B", 2, 2, expert_parallel=True))
    assert all(module.reason is None for part in jobs[-1][1].parts for module in part.plan.experts)
    check(jobs, ranks.run(4, compared, [job for job, _ in jobs], str(tmp_path), 2))


def test_gradients_of_two_stages_on_two_data_ranks_each(ranks: Ranks, tmp_path: Path) -> None:
    """Both data ranks are given the same rows, so that the mean of their gradients is that of one process.

    The files are for two tensor ranks, and split nothing on a mesh without these.
    """
    job, told = pipelined("gpt2", "1F1B", 2, 2)
    found = [parts for (parts,) in ranks.run(4, compared, [job], str(tmp_path), 2, "data")]
    assert max(one.losses for one in found) < 1e-10
    assert max(one.gradients for one in found) < 1e-10
    # What the ranks of a stage store is together all of it.
    stored = (one for part in told.parts for _, one in part.stored)
    assert sum(one.stored for one in found) == sum(one.group.elements for one in stored if not one.parameter.buffer)


@contextmanager
def made_stage(files: Mapping[str, str], folder: Path, number: int, device: str) -> Iterator[nn.Module]:
    """The module of a stage, on one of two ranks of which the other is imagined."""
    dist.init_process_group("fake", store=FakeStore(), rank=number, world_size=2)
    try:
        mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("pipeline",))
        for name, text in files.items():
            (folder / name).write_text(text)
        code = ModuleType("pipeline")
        code.__file__ = str(folder / "pipeline.py")
        exec(compile(files["pipeline.py"], code.__file__, "exec"), code.__dict__)
        with torch.device(device):
            module = code.make_stage(mesh)
        yield module
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_stage_reads_its_own_weights_and_draws_those_of_the_model(device: str, tmp_path: Path) -> None:
    files = emit_pipeline(reduced("gpt2"), 2)
    ours = published("gpt2", tmp_path)
    model = archspec.compile(reduced("gpt2"))
    initialise(model, reduced("gpt2"), seed=3)
    names: list[str] = []
    for number in range(2):
        with made_stage(files, tmp_path, number, device) as module:
            with pytest.MonkeyPatch.context() as patch:
                read = counting(patch)
                report = archspec.load_weights(module, reduced("gpt2"), tmp_path)
            state = module.state_dict()
            assert all(torch.equal(state[name], ours[name]) for name in state)
            assert sum(read) == sum(one.nbytes for one in state.values())
            assert report.tensors == len(state) < len(ours)
            initialise(module, reduced("gpt2"), seed=3)
            assert all(torch.equal(one, model.state_dict()[name]) for name, one in module.state_dict().items())
            names += state
    assert set(names) == set(ours)


def test_a_stage_of_another_model_is_refused(tmp_path: Path) -> None:
    published("gpt2", tmp_path)
    with made_stage(emit_pipeline(reduced("llama-3-8b"), 2), tmp_path, 1, "cpu") as module:
        with pytest.raises(SpecError, match="E607"):
            archspec.load_weights(module, reduced("gpt2"), tmp_path)
        with pytest.raises(SpecError, match="E607"):
            initialise(module, reduced("gpt2"), seed=0)
