"""What ranks exchange in a step, place by place, against what a dispatch mode measures in a group of imagined ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.fully_sharded import data_collectives, data_elements
from archspec.analyses.sharding.plan import Plan
from archspec.lower.emission import with_masks
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.parallel.emitted import Emitted, emitted, loaded, loss, outputs, whole
from tests.parallel.variants import VARIANTS, variant

KINDS = {
    "all_reduce": "all-reduce",
    "all_gather_into_tensor": "all-gather",
    "reduce_scatter_tensor": "reduce-scatter",
    "_allgather_base_": "all-gather",
    "_reduce_scatter_base_": "reduce-scatter",
}
FIRST = ["albert-base", "deepseek-v3", "t5-small"]
MORE = ["clip-vit-b32", "gemma-2-2b", "gpt2", "mixtral-8x7b", "swin-t"]
REST = sorted({path.stem for path in shipped_specs_dir().glob("*.yaml")} - {*FIRST, *MORE})
CASES = [
    *FIRST,
    *(pytest.param(name, marks=pytest.mark.slow) for name in MORE),
    *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.long]) for name in REST),
]
Rows = Counter[tuple[str, str, int]]
"""How often each phase exchanges in each way, by the elements that a rank gives."""


class Measured(TorchDispatchMode):
    """Counts collectives by the elements of their operands."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Rows = Counter()
        self.phase = "forward"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace in ("_c10d_functional", "c10d") and (kind := KINDS.get(func._opname)) is not None:
            # Those of `c10d` are given what they write to first.
            given = args[1] if func.namespace == "c10d" else args[0]
            self.rows[self.phase, kind, given.numel()] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def imagined(ranks: int) -> Iterator[None]:
    """A group of which this process is the first rank, and the others answer with what is in memory."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=ranks)
    try:
        yield
    finally:
        dist.destroy_process_group()


def split(texts: Emitted, data: int, tensor: int, recompute: bool) -> nn.Module:
    """The module in training on data x tensor ranks."""
    dims = {name: size for name, size in (("data", data), ("tensor", tensor)) if size > 1}
    mesh = init_device_mesh("cpu", (*dims.values(),), mesh_dim_names=(*dims,))
    module = whole(texts).train()
    made: nn.Module = loaded(texts.parallelize)["parallelize"](module, mesh, checkpoint_layers=recompute)
    return made


def measured(texts: Emitted, module: nn.Module) -> Rows:
    """What a step exchanges."""
    with Measured() as found:
        results = outputs(module, texts.inputs)
        found.phase = "backward"
        loss(results).backward()  # type: ignore[no-untyped-call]
    return found.rows


def planned(spec: Spec, plan: Plan, data: int, recompute: bool, sizes: dict[str, int]) -> Rows:
    """What a step should exchange."""
    rows: Rows = Counter()
    over_data = data_collectives(with_masks(spec), plan, data) if data > 1 else ()
    for one in (*collectives(plan), *over_data):
        size = one.elements.value(sizes)
        rows[one.phase, one.kind, size] += one.times
        rows["backward", one.kind, size] += one.again if recompute else 0
    return +rows


def compare(
    spec: Spec,
    data: int,
    tensor: int,
    *,
    recompute: bool,
    sequence: bool = False,
    expert_parallel: bool = False,
    sizes: dict[str, int] | None = None,
) -> None:
    """Measure a step of a spec, and what a rank stores."""
    sizes = {name: dim.typical for name, dim in spec.dims.items()} | (sizes or {})
    texts, plan = emitted(spec, tensor, sizes, sequence=sequence, expert_parallel=expert_parallel)
    assert not expert_parallel or all(one.reason is None for one in plan.experts)
    with imagined(data * tensor):
        module = split(texts, data, tensor, recompute)
        stored = sum(one.to_local().numel() for one in module.parameters() if isinstance(one, DTensor))
        assert measured(texts, module) == planned(spec, plan, data, recompute, sizes)
    held = (one for one in plan.parameters if not one.parameter.buffer)
    assert stored == sum(one.group.count * data_elements(one, tensor, data) for one in held)


WAYS = [
    pytest.param(1, 4, True, id="tensor-recomputed"),
    pytest.param(2, 1, False, id="data-kept"),
    pytest.param(2, 2, True, id="both-recomputed"),
]


@pytest.mark.parametrize(("data", "tensor", "recompute"), WAYS)
@pytest.mark.parametrize("name", CASES)
def test_a_step_exchanges_what_the_plan_says(name: str, data: int, tensor: int, recompute: bool) -> None:
    compare(load(name, reduced=True), data, tensor, recompute=recompute)


@pytest.mark.parametrize("sequence", [False, True], ids=["whole", "parts of the length"])
@pytest.mark.parametrize("name", VARIANTS)
def test_layers_that_run_more_than_once(name: str, sequence: bool, tmp_path: Path) -> None:
    spec = variant(name, tmp_path)
    compare(spec, 2, 2, recompute=True, sequence=sequence)


@pytest.mark.parametrize(("data", "recompute"), [(1, True), (2, False), (4, True)])
@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3"])
def test_whole_experts(name: str, data: int, recompute: bool) -> None:
    """Four data ranks share two experts, whose features they cut."""
    compare(load(name, reduced=True), data, 2, recompute=recompute, expert_parallel=True)


@pytest.mark.parametrize(("data", "tensor"), [(8, 1), (8, 4), (6, 1)])
def test_experts_over_more_data_ranks_than_there_are(data: int, tensor: int) -> None:
    spec = load("mixtral-8x7b", reduced=True, set=["d_ff=48"])
    compare(spec, data, tensor, recompute=False)
    _, plan = emitted(spec, tensor)
    experts = [one for one in plan.parameters if ".experts." in one.parameter.path]
    assert len(experts) == 3
    for one in experts:
        # No rank has more than its share, since features divide where the four experts do not.
        assert data_elements(one, tensor, data) * data * tensor == one.group.elements
