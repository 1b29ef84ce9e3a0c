"""The text of `parallelize.py`, its command, and that it applies at any number of ranks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from ruff.__main__ import find_ruff_bin
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial
from torch.testing._internal.distributed.fake_pg import FakeStore

import archspec
from archspec.analyses.sharding.planner import plan
from archspec.checking import accepted
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import emit, with_masks
from archspec.parallel import parallelize
from archspec.parallel.patterns import LayerPlace, Patterns
from archspec.parallel.template.conversions import TableRows
from archspec.parallel.template.drawing import Draws
from archspec.parallel.text import parallelize_text
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.parallel.emitted import class_name, loaded

FIRST = ["llama-3-8b", "deepseek-v3"]
REST = sorted({path.stem for path in shipped_specs_dir().glob("*.yaml")} - set(FIRST))
CASES = [*FIRST, *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.long]) for name in REST)]

WITH_EXPERTS = [
    "mixtral-8x7b",
    *(
        pytest.param(name, marks=[pytest.mark.slow, pytest.mark.long])
        for name in ("deepseek-v3", "qwen3-30b-a3b", "gpt-oss-20b")
    ),
]


@pytest.fixture
def faked(request: pytest.FixtureRequest) -> Iterator[int]:
    """A process group of which every other rank is imagined."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=request.param)
    yield request.param
    dist.destroy_process_group()


def text_of(spec: Spec, ranks: int, *, expert_parallel: bool = False) -> str:
    graph = with_masks(spec)
    found = boundaries(graph)
    made = plan(graph, ranks, found, expert_parallel=expert_parallel)
    return parallelize_text(made, graph, found, "A plan.")


@pytest.mark.parametrize("faked", [2, 4, 8, 64], indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_the_published_size_is_split(name: str, faked: int) -> None:
    check_published(name, faked)


@pytest.mark.parametrize("faked", [2, 4, 8, 64], indirect=True)
@pytest.mark.parametrize("name", WITH_EXPERTS)
def test_whole_experts_at_the_published_size(name: str, faked: int) -> None:
    check_published(name, faked, expert_parallel=True)


def check_published(name: str, faked: int, *, expert_parallel: bool = False) -> None:
    """Split a model of full size, without memory: a rank stores what the plan says."""
    spec = load(name)
    graph = with_masks(spec)
    made = plan(graph, faked, boundaries(graph), expert_parallel=expert_parallel)
    with torch.device("meta"):
        module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    mesh = init_device_mesh("cpu", (faked,), mesh_dim_names=("tensor",))
    loaded(text_of(spec, faked, expert_parallel=expert_parallel))["parallelize"](module, mesh)
    stored = sum(one.to_local().numel() for one in module.parameters() if isinstance(one, DTensor))
    held = (one for one in made.parameters if not one.parameter.buffer)
    assert stored == sum(one.rank_elements * one.group.count for one in held)


@pytest.mark.parametrize("faked", [8], indirect=True)
def test_data_ranks_beside_heads_of_keys_that_ranks_share(faked: int) -> None:
    spec = load("llama-3-8b", reduced=True)
    module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    mesh = init_device_mesh("cpu", (2, 4), mesh_dim_names=("data", "tensor"))
    loaded(text_of(spec, 4))["parallelize"](module, mesh)
    assert module.get_parameter("states.layers.0.attention.k.weight").to_local().shape == (4, 32)


@pytest.mark.parametrize("faked", [2], indirect=True)
@pytest.mark.parametrize(
    "names, options, message",
    [
        (("tp",), {}, r"""expected mesh dims "tensor" and "data", found ('tp',)"""),
        (None, {}, """expected mesh dims "tensor" and "data", found ()"""),
        (("tensor",), {"reshard": True}, """the mesh has no dim "data" for reshard"""),
    ],
)
def test_what_the_file_does_not_apply_to_is_refused(
    names: tuple[str, ...] | None, options: dict[str, bool], message: str, faked: int
) -> None:
    spec = load("gpt2", reduced=True)
    module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    with pytest.raises(ValueError, match=re.escape(message)):
        loaded(text_of(spec, faked))["parallelize"](
            module, init_device_mesh("cpu", (faked,), mesh_dim_names=names), **options
        )
    assert not any(isinstance(one, DTensor) for one in module.parameters())


@pytest.mark.parametrize("faked", [2], indirect=True)
@pytest.mark.parametrize("dim", ["tensor", "data"])
def test_a_module_is_split_once(dim: str, faked: int) -> None:
    spec = load("gpt2", reduced=True)
    module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    mesh = init_device_mesh("cpu", (faked,), mesh_dim_names=(dim,))
    parallelize_once = loaded(text_of(spec, faked if dim == "tensor" else 1))["parallelize"]
    parallelize_once(module, mesh)
    with pytest.raises(ValueError, match="the module is split already: parallelize takes it once"):
        parallelize_once(module, mesh)


@pytest.mark.parametrize("faked", [2], indirect=True)
@pytest.mark.parametrize(
    ("other", "options", "message"),
    [
        ("bert-base", (), "it has source.types"),
        ("gpt2", ("d_model=48",), "source.table has shape (97, 48), expected (97, 32)"),
        ("gpt2", ("layers=3",), "it has 3 states.layers.*, expected 2"),
        ("gpt2", ("layers=1",), "it has 1 states.layers.*, expected 2"),
    ],
)
def test_the_module_of_another_model_is_refused(other: str, options: tuple[str, ...], message: str, faked: int) -> None:
    spec = load(other, reduced=True, set=options)
    module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    mesh = init_device_mesh("cpu", (faked,), mesh_dim_names=("tensor",))
    start = "the module is not of the model that this file is for: "
    with pytest.raises(ValueError, match=re.escape(start)) as found:
        loaded(text_of(load("gpt2", reduced=True), faked))["parallelize"](module, mesh)
    assert str(found.value) == start + message
    assert not any(isinstance(one, DTensor) for one in module.parameters())


@pytest.mark.parametrize("faked", [2], indirect=True)
def test_the_length_is_cut_where_it_is_asked_for(faked: int) -> None:
    checked = accepted("llama-3-8b", reduced=True)
    mesh = init_device_mesh("cpu", (faked,), mesh_dim_names=("tensor",))
    for sequence in (False, True):
        module = parallelize(archspec.compile(checked), checked, mesh, sequence=sequence)
        norm = module.get_submodule("states.layers.0.attention_norm")
        # The result of a norm of a part is gathered behind it.
        assert bool(norm._forward_hooks) is sequence


@pytest.mark.parametrize("name", ["llama-3-8b", "deepseek-v3", "bert-base", "swin-t", "gpt-oss-20b"])
def test_the_file_is_formatted_and_imports_torch_alone(name: str, tmp_path: Path) -> None:
    file = tmp_path / "parallelize.py"
    file.write_text(text_of(load(name), 4))
    subprocess.run([find_ruff_bin(), "format", "--isolated", "--check", str(file)], check=True)
    tree = ast.parse(file.read_text())
    roots = {one.module.partition(".")[0] for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one.module}
    roots |= {
        alias.name.partition(".")[0] for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names
    }
    assert roots - set(sys.stdlib_module_names) == {"torch"}


def test_a_mesh_of_another_size_is_refused(faked_of_two: int) -> None:
    spec = load("gpt2", reduced=True)
    module = loaded(emit(accepted(spec)))[class_name(spec.name)]()
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",))
    with pytest.raises(ValueError, match="this plan is for 4 tensor ranks, not 2"):
        loaded(text_of(spec, 4))["parallelize"](module, mesh)


@pytest.fixture
def faked_of_two() -> Iterator[int]:
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield 2
    dist.destroy_process_group()


def test_rows_of_a_table_know_ids_beyond_all_of_it(faked_of_two: int) -> None:
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",))
    table = torch.arange(6.0).view(3, 2) + 1
    rows = TableRows.of(table, mesh, (Partial(), Partial()), is_whole=False)
    assert F.embedding(torch.tensor([1, 4]), rows).tolist() == [[3, 4], [0, 0]]
    for number in (6, -1):
        with pytest.raises(IndexError, match="index out of range"):
            F.embedding(torch.tensor([number]), rows)


def test_a_module_in_evaluation_draws_nothing_inside_one_in_training(faked_of_two: int) -> None:
    draws = Draws(init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",)))
    draws.is_checked = True

    def forward(x: torch.Tensor) -> torch.Tensor:
        return F.dropout(F.dropout(x, 0.5, False), 0.5, True)

    assert set(draws.run(nn.Module(), forward, (2,), torch.ones(100)).tolist()) == {0, 2}


def test_layers_of_one_list_are_named_by_runs() -> None:
    patterns = Patterns(with_masks(load("deepseek-v3")))
    path = "states.layers.*.feed_forward"
    some = LayerPlace(path, ((0, 1, 2, 5),))
    assert patterns.spelled(some) == "states.layers.0-2+5.feed_forward"
    assert patterns.spelled(LayerPlace(path, (tuple(range(61)),))) == path
    matches = loaded(text_of(load("gpt2", reduced=True), 2))["matches"]
    wanted = [number for number in range(12) if matches("layers.0-2+5+10-11.x", f"layers.{number}.x")]
    assert wanted == [0, 1, 2, 5, 10, 11]
    assert not matches("layers.*.x", "layers.x.x")
    assert matches("", "")
