"""Emitted modules split over tensor ranks against the same module in one process, and what they exchange."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from archspec.analyses.sharding.collectives import collectives
from archspec.analyses.sharding.plan import Plan
from archspec.record import record
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.exchanges import Exchanges, by_torch
from tests.parallel.ranks import Ranks
from tests.parallel.variants import variant

# With 96 rows, tables of tokens are split as well.
WIDER = {"gpt2": 96, "t5-small": 96, "deepseek-v3": 96, "bert-base": 96}
FIRST = {
    2: [
        *("gpt2", "llama-3-8b", "t5-small", "bloom-560m", "deepseek-v3", "mixtral-8x7b", "gpt-oss-20b"),
        *("qwen3-0.6b", "albert-base", "bert-base", "whisper-tiny", "swin-t"),
    ],
    # Ranks that share heads of keys, latents, and slopes by heads; `tests/analyses/sharding` computes all others.
    4: ["llama-3-8b", "deepseek-v3", "bloom-560m"],
}
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
CASES = [
    *(pytest.param(count, names, id=f"first-{count}") for count, names in FIRST.items()),
    *(
        pytest.param(count, [name], id=f"{name}-{count}", marks=[pytest.mark.slow, pytest.mark.long])
        for count, names in FIRST.items()
        for name in SHIPPED
        if name not in names
    ),
]
# With a table of angles, one of buckets for two stacks, positions that are added, and norms after the sums.
SEQUENCES = {"llama-3.2-1b": {"length": 8}, "t5-small": {"src": 8, "tgt": 8}}
MORE_SEQUENCES = {"gpt2": {"length": 8}, "bert-base": {"length": 8}}


MIXTURES = ["mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "gpt-oss-20b"]


@record
class Found:
    """What one rank found: differences, collectives by kind, the elements that it gave to them, what it stores."""

    forward: float
    backward: float
    counts: Counter[str]
    counted_by_torch: int
    given: Counter[str]
    stored: int


def parities(jobs: list[Emitted], count: int, dtype: torch.dtype) -> list[Found]:
    """Run modules one after another."""
    return [parity(texts, count, dtype) for texts in jobs]


def parity(texts: Emitted, count: int, dtype: torch.dtype) -> Found:
    """Run the module whole and split, on one rank."""
    inputs = {name: one.to(dtype) if one.is_floating_point() else one for name, one in texts.inputs.items()}
    reference = whole(texts, dtype)
    wanted = outputs(reference, inputs)
    loss(wanted).backward()
    module = whole(texts, dtype)
    loaded(texts.parallelize)["parallelize"](module, init_device_mesh("cpu", (count,), mesh_dim_names=("tensor",)))
    with by_torch() as counted, Exchanges() as exchanges:
        found = outputs(module, inputs)
        loss(found).backward()
    expected, given = gradients(reference), gradients(module)
    assert expected.keys() == given.keys()
    return Found(
        forward=max(differs(a, b) for a, b in zip(found, wanted, strict=True)),
        backward=max(differs(given[name], one) for name, one in expected.items()),
        counts=exchanges.counts,
        counted_by_torch=counted.get_total_counts(),
        given=exchanges.given,
        stored=stored(module),
    )


def stored(module: nn.Module) -> int:
    """The elements of parameters on a rank."""
    local = (one.to_local() for one in module.parameters() if isinstance(one, DTensor))
    return sum(one.numel() for one in local)


def of_plan(plan: Plan, sizes: dict[str, int]) -> tuple[Counter[str], Counter[str], int]:
    """The collectives of a plan by kind, the elements that a rank gives to them, and what it stores."""
    counts: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for one in collectives(plan):
        counts[one.kind] += one.times
        given[one.kind] += one.times * one.elements.value(sizes)
    parameters = (one for one in plan.parameters if not one.parameter.buffer)
    return counts, given, sum(one.rank_elements * one.group.count for one in parameters)


@pytest.mark.parametrize(("count", "names"), CASES)
def test_values_gradients_and_exchanges(count: int, names: list[str], ranks: Ranks) -> None:
    wider = ((name, [f"vocab={WIDER[name]}"] if name in WIDER else []) for name in names)
    compare([(load(name, reduced=True, set=more), {}) for name, more in wider], count, ranks)


@pytest.mark.parametrize("count", [2, 4])
def test_whole_experts(count: int, ranks: Ranks) -> None:
    specs = [(load(name, reduced=True, set=["experts=12"] if name == "deepseek-v3" else []), {}) for name in MIXTURES]
    compare(specs, count, ranks, expert_parallel=True)


def test_whole_experts_between_parts_of_the_length(ranks: Ranks) -> None:
    specs = [(load(name, reduced=True), {"length": 8}) for name in ("mixtral-8x7b", "deepseek-v3")]
    compare(specs, 2, ranks, sequence=True, expert_parallel=True)


@pytest.mark.parametrize(
    "lengths", [SEQUENCES, pytest.param(MORE_SEQUENCES, marks=pytest.mark.slow)], ids=["first", "more"]
)
def test_parts_of_the_length(lengths: dict[str, dict[str, int]], ranks: Ranks) -> None:
    compare([(load(name, reduced=True), sizes) for name, sizes in lengths.items()], 4, ranks, sequence=True)


def test_a_whole_table_is_looked_up_in_parts_of_the_length(ranks: Ranks, tmp_path: Path) -> None:
    """Nothing stands between the lookup and the layers, and two ranks do not divide 97 rows."""
    compare([(variant("plain", tmp_path, vocab="97"), {})], 2, ranks, sequence=True)


def test_lengths_that_ranks_do_not_divide_are_refused(ranks: Ranks) -> None:
    texts, _ = emitted(load("llama-3.2-1b", reduced=True), 2, {"batch": 2, "length": 7}, sequence=True)
    assert ranks.run(2, refused, texts) == ["axis 1 of (2, 7, 32) is not divisible by 2 tensor ranks"] * 2


def refused(texts: Emitted) -> str:
    """What a module says about its inputs."""
    module = whole(texts)
    loaded(texts.parallelize)["parallelize"](module, init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",)))
    with pytest.raises(ValueError, match="divisible") as found:
        outputs(module, texts.inputs)
    return str(found.value)


def compare(
    specs: list[tuple[Spec, dict[str, int]]],
    count: int,
    ranks: Ranks,
    *,
    sequence: bool = False,
    expert_parallel: bool = False,
) -> None:
    """Run specs whole and split, at given sizes, and count what ranks exchange."""
    sizes = [{name: dim.typical for name, dim in spec.dims.items()} | more for spec, more in specs]
    made = [
        emitted(spec, count, one, sequence=sequence, expert_parallel=expert_parallel)
        for (spec, _), one in zip(specs, sizes, strict=True)
    ]
    if expert_parallel:
        assert all(one.reason is None for _, plan in made for one in plan.experts)
    for found in ranks.run(count, parities, [texts for texts, _ in made], count, torch.float64, timeout=900):
        for one, own, (texts, plan) in zip(found, sizes, made, strict=True):
            counts, given, held = of_plan(plan, own)
            assert one.forward < 1e-10, texts.name
            assert one.backward < 1e-10, texts.name
            assert one.counts == counts, texts.name
            assert one.counted_by_torch == counts.total(), texts.name
            assert one.given == given, texts.name
            assert one.stored == held, texts.name


def test_single_precision(ranks: Ranks) -> None:
    texts = [emitted(load(name, reduced=True), 2)[0] for name in ("llama-3-8b", "t5-small")]
    # Its widths let products be grouped, which leave memory as it was for rows of other ranks' experts.
    texts.append(emitted(load("mixtral-8x7b", reduced=True), 2, expert_parallel=True)[0])
    for found in ranks.run(2, parities, texts, 2, torch.float32, timeout=900):
        assert max(max(one.forward, one.backward) for one in found) < 1e-5
