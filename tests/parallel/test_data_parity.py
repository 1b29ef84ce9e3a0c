"""Data ranks with batches of their own against one process that accumulates the same batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from archspec.record import record
from archspec.spec import Spec, load
from tests.lower.running import inputs_of
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.ranks import Ranks

SPECS = ["gpt2", "llama-3-8b", "t5-small", "albert-base", "gemma-2-2b", "deepseek-v3"]
MORE = [pytest.mark.slow, pytest.mark.long]
WAYS = [
    pytest.param(1, False, id="1-kept"),
    pytest.param(2, True, id="2-recomputed"),
    pytest.param(1, True, id="1-recomputed", marks=MORE),
    pytest.param(2, False, id="2-kept", marks=MORE),
]


@record
class Job:
    """A model, and what each data rank is given."""

    texts: Emitted
    batches: tuple[Mapping[str, Tensor], ...]


def job(
    spec: Spec, data: int, tensor: int, *, sequence: bool = False, expert_parallel: bool = False, **sizes: int
) -> Job:
    """The texts of a spec and the batches of data ranks."""
    sizes = {name: dim.typical for name, dim in spec.dims.items()} | sizes
    texts, _ = emitted(spec, tensor, sizes, sequence=sequence, expert_parallel=expert_parallel)
    return Job(texts=texts, batches=tuple(inputs_of(spec.graph, sizes, seed) for seed in range(data)))


def parities(jobs: list[Job], tensor: int, recompute: bool) -> list[tuple[float, float]]:
    """Run models one after another."""
    return [parity(one.texts, one.batches, tensor, recompute) for one in jobs]


def parity(
    texts: Emitted, batches: Sequence[Mapping[str, Tensor]], tensor: int, recompute: bool
) -> tuple[float, float]:
    """The largest differences of outputs and gradients."""
    reference = whole(texts)
    wanted = []
    for batch in batches:
        wanted.append(outputs(reference, batch))
        (loss(wanted[-1]) / len(batches)).backward()
    module = whole(texts)
    names = ("data", "tensor") if tensor > 1 else ("data",)
    mesh = init_device_mesh("cpu", (len(batches), tensor)[: len(names)], mesh_dim_names=names)
    loaded(texts.parallelize)["parallelize"](module, mesh, checkpoint_layers=recompute)
    number = mesh.get_local_rank("data")
    found = outputs(module, batches[number])
    loss(found).backward()
    forward = max(differs(a, b) for a, b in zip(found, wanted[number], strict=True))
    expected, given = gradients(reference), gradients(module)
    assert expected.keys() == given.keys()
    return forward, max(differs(given[name], one) for name, one in expected.items())


def compare(jobs: list[Job], tensor: int, recompute: bool, ranks: Ranks) -> None:
    """Every rank agrees with one process."""
    for found in ranks.run(len(jobs[0].batches) * tensor, parities, jobs, tensor, recompute, timeout=900):
        for (forward, backward), one in zip(found, jobs, strict=True):
            assert forward < 1e-10, one.texts.name
            assert backward < 1e-10, one.texts.name


def test_a_parameter_without_axes(ranks: Ranks) -> None:
    """CLIP's scale, which `fully_shard` does not take."""
    for tensor in (1, 2):
        compare([job(load("clip-vit-b32", reduced=True), 2, tensor)], tensor, False, ranks)


@pytest.mark.parametrize(("tensor", "recompute"), WAYS)
def test_batches_of_two_data_ranks(tensor: int, recompute: bool, ranks: Ranks) -> None:
    compare([job(load(name, reduced=True), 2, 2) for name in SPECS], tensor, recompute, ranks)


def test_parts_of_the_length_on_data_ranks_with_layers_computed_again(ranks: Ranks) -> None:
    jobs = [
        job(load("llama-3.2-1b", reduced=True), 2, 2, sequence=True, length=8),
        job(load("t5-small", reduced=True), 2, 2, sequence=True, src=8, tgt=8),
    ]
    compare(jobs, 2, True, ranks)


def test_experts_over_more_data_ranks_than_there_are(ranks: Ranks) -> None:
    compare([job(load("mixtral-8x7b", reduced=True, set=["experts=3"]), 4, 1)], 1, False, ranks)


def test_whole_experts_on_data_ranks(ranks: Ranks) -> None:
    names = ("mixtral-8x7b", "deepseek-v3")
    compare([job(load(name, reduced=True), 2, 2, expert_parallel=True) for name in names], 2, True, ranks)
