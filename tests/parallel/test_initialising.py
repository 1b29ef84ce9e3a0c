"""`archspec.parallel.initialise`: one seed gives one module, however it is distributed, drawn as its own code draws."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor

import archspec
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.parallel import initialise
from tests.parallel.ranks import Ranks
from tests.parallel.test_loading import drawn_placements, local, reduced, replace

SPECS = ("gpt2", "mixtral-8x7b", "t5-small", "resnet-50", "vit-b16", "transformer-base")


def initialised(name: str, seed: int, device: str = "cpu") -> dict[str, Tensor]:
    with torch.device(device):
        module = archspec.compile(reduced(name))
    initialise(module, reduced(name), seed=seed)
    return dict(module.state_dict())


def different(name: str) -> list[str]:
    """The parameters of modules distributed at random that are not the parts of those of the whole one."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    return [one for device in ("cpu", "meta") for one in different_on(device, name, mesh)]


def different_on(device: str, name: str, mesh: DeviceMesh) -> list[str]:
    whole, draw = initialised(name, 3), random.Random(1)
    with torch.device(device):
        module = archspec.compile(reduced(name))
    replace(module, lambda one: distribute_tensor(one, mesh, drawn_placements(draw, one.dim(), mesh)))
    initialise(module, reduced(name), seed=3)
    found = []
    for one, tensor in module.state_dict().items():
        expected = whole[one]
        if isinstance(tensor, DTensor):
            expected = local(distribute_tensor(expected, mesh, tensor.placements, src_data_rank=None))
        if not torch.equal(local(tensor), expected):
            found.append(one)
    return found


@pytest.mark.parametrize("name", ["mixtral-8x7b", "resnet-50"])
def test_a_distributed_module_has_the_parts_of_the_whole_one(name: str, ranks: Ranks) -> None:
    assert ranks.run(4, different, name) == [[]] * 4


@pytest.mark.parametrize("name", SPECS)
def test_tensors_are_distributed_as_the_module_draws_them(name: str) -> None:
    """Constants are equal; of drawn tensors the mean and the largest deviation are as close as chance allows."""
    torch.manual_seed(0)
    own = archspec.compile(reduced(name)).state_dict()
    for one, tensor in initialised(name, 0).items():
        if own[one].numel() < 2 or not own[one].is_floating_point() or float(own[one].std()) == 0:
            assert torch.equal(tensor, own[one]), one
            continue
        error = float(own[one].std()) / own[one].numel() ** 0.5
        assert float(tensor.mean()) == pytest.approx(0, abs=5 * error), one
        assert float(tensor.std()) == pytest.approx(float(own[one].std()), abs=6 * error), one


def test_the_seed_and_the_name_decide_and_nothing_else() -> None:
    torch.manual_seed(5)
    first, again, meta = initialised("gpt2", 1), initialised("gpt2", 1), initialised("gpt2", 1, "meta")
    assert all(torch.equal(first[name], again[name]) and torch.equal(first[name], meta[name]) for name in first)
    drawn = [first["states.layers.0.attention.q.weight"], first["states.layers.1.attention.q.weight"]]
    drawn += [first["states.layers.0.attention.k.weight"], initialised("gpt2", 2)["states.layers.0.attention.q.weight"]]
    for number, one in enumerate(drawn):
        for other in drawn[:number]:
            assert abs(float(torch.corrcoef(torch.stack((one.flatten(), other.flatten())))[0, 1])) < 0.15
    # The state of the default generator is left as it was.
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    module = archspec.compile(reduced("gpt2"))
    torch.manual_seed(5)
    initialise(module, reduced("gpt2"), seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_half_precision_is_rounded_from_the_same_values() -> None:
    module = archspec.compile(reduced("gpt2")).bfloat16()
    initialise(module, reduced("gpt2"), seed=1)
    for name, tensor in initialised("gpt2", 1).items():
        assert torch.equal(module.state_dict()[name], tensor.bfloat16())


def test_the_module_of_another_spec_is_refused() -> None:
    with pytest.raises(SpecError, match="E607"):
        initialise(archspec.compile(reduced("gpt2")), accepted("t5-small", reduced=True), seed=0)
