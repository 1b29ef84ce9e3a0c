"""Every shipped spec, reduced, run as the ranks of its plan would: values and gradients are those of the whole."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from archspec.analyses.parameters import expand
from archspec.analyses.sharding.planner import plan
from archspec.ir.graph import Graph
from archspec.ir.placement import Partial, Replicate
from archspec.ir.types import DType
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import example
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec, load
from tests.analyses.sharding.ranks_in_one import Ranks, joined_gradient
from tests.mutation.shipped import ranked

BOUND = 1e-10
# The vocabulary of reduced specs is a prime, which no ranks divide.
WIDER = {
    name: ["vocab=96"] for name in ("llama-3.2-1b", "t5-base", "deepseek-v3", "minilm-l6", "opus-mt-en-de", "gpt2")
}
SEQUENCES = [
    "llama-3.2-1b",
    "gpt2",
    "minilm-l6",
    "t5-base",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("bloom-560m", "deepseek-v3", "olmo2-1b", "albert-base")),
]
LENGTHS = {"t5-base": {"src": 8, "tgt": 4}}


def close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    return bool((found - wanted).abs().max() <= BOUND * max(1.0, float(wanted.abs().max())))


@pytest.mark.parametrize("name", ranked())
def test_ranks_compute_what_the_whole_computes(name: str) -> None:
    spec = load(name, reduced=True, set=WIDER.get(name, ()))
    compare(spec, example(spec.dims.values()))


@pytest.mark.parametrize("name", SEQUENCES)
def test_ranks_compute_on_parts_of_the_length(name: str) -> None:
    spec = load(name, reduced=True, set=WIDER.get(name, ()))
    compare(spec, {**example(spec.dims.values()), **LENGTHS.get(name, {"length": 8})}, sequence=True)


@pytest.mark.parametrize("sequence", [False, True], ids=["whole", "parts of the length"])
@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "gpt-oss-20b"])
def test_ranks_have_whole_experts(name: str, sequence: bool) -> None:
    spec = load(name, reduced=True, set=["experts=12"] if name == "deepseek-v3" else [])
    sizes = {**example(spec.dims.values()), **({"length": 8} if sequence else {})}
    compare(spec, sizes, sequence=sequence, expert_parallel=True)


def compare(spec: Spec, sizes: Mapping[str, int], *, sequence: bool = False, expert_parallel: bool = False) -> None:
    """Run a spec whole and as 2 and 4 ranks."""
    graph = with_masks(spec)
    hooks = boundaries(graph)
    inputs = {key: torch.tensor(one) for key, one in sample(interface_of(spec), sizes, 0).items()}
    inputs = {key: one.double() if one.is_floating_point() else one for key, one in inputs.items()}
    parameters = drawn(graph)
    whole = Ranks(plan(graph, 1, hooks), hooks, dict(sizes), parameters)
    wanted = losses(whole.run(graph, inputs))
    arrays = {key: one.numpy() for key, one in inputs.items()}
    expected = interpret(graph, arrays, {key: one.numpy() for key, one in parameters.items()}, sizes)
    for ranks in (2, 4):
        made_plan = plan(graph, ranks, hooks, sequence=sequence, expert_parallel=expert_parallel)
        assert all(one.reason is None for one in made_plan.experts)
        assert not sequence or all(stack.reason is None for stack in made_plan.stacks)
        run = Ranks(made_plan, hooks, dict(sizes), parameters)
        made = run.run(graph, inputs)
        for output, each in made.items():
            for one in each:
                assert close(one.detach().double(), torch.tensor(expected[output]).double()), (ranks, output)
        losses(made)
        for path, each in run.leaves.items():
            check_gradient(path, each, whole.leaves[path][0], run)
    assert wanted


def drawn(graph: Graph) -> dict[str, torch.Tensor]:
    """Random parameters; buffers of statistics are positive."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for path, one in expand(graph).items():
        shape = [size.value({}) for size in one.type.shape]
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        found[path] = 0.2 * noise if not one.buffer else noise.abs() + 0.5
        if one.type.dtype is not DType.FLOAT:
            found[path] = torch.zeros(shape, dtype=torch.int64)
    return found


def losses(made: dict[str, list[torch.Tensor]]) -> bool:
    """Run back from the same loss on every rank."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=torch.float64)
    for each in made.values():
        if each[0].is_floating_point() and each[0].requires_grad:
            factor = torch.randn(each[0].shape, generator=generator, dtype=torch.float64)
            total = total + sum((one * factor).sum() for one in each)
    total.backward()
    return True


def check_gradient(path: str, each: list[torch.Tensor], whole: torch.Tensor, run: Ranks) -> None:
    """The gradients of the ranks are, by the placement, that of the whole."""
    if whole.grad is None:
        assert all(one.grad is None or not one.grad.any() for one in each), path
        return
    placed = run.placed[path]
    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in each]
    assert close(joined_gradient(grads, placed), whole.grad), (path, placed)
    if isinstance(placed, Replicate | Partial):
        assert all(close(one, whole.grad) for one in grads), (path, placed)
