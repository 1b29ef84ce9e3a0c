"""`archspec.parallel.parallelize`: the module and the mesh must be those of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

import archspec
from archspec.diagnostics import SpecError
from archspec.parallel import clip_gradients, parallelize
from tests.parallel.ranks import Ranks
from tests.parallel.training import batch, checked


def refused(wrong: Path) -> list[str]:
    """What a mesh of other dims, and a module of another spec, are told."""
    module = archspec.compile(checked())
    messages = []
    for names in (("tp",), None):
        with pytest.raises(ValueError, match="expected a mesh") as raised:
            parallelize(module, checked(), init_device_mesh("cpu", (2,), mesh_dim_names=names))
        messages.append(str(raised.value))
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("tensor",))
    with pytest.raises(SpecError, match="E607"):
        parallelize(module, wrong, mesh)
    assert not any(isinstance(one, DTensor) for one in module.parameters())
    return messages


def test_other_meshes_and_modules_are_refused(ranks: Ranks) -> None:
    wrong = Path(__file__).parents[2] / "examples" / "parallel" / "language.yaml"
    for messages in ranks.run(2, refused, wrong):
        assert messages[0] == """expected a mesh with the dims "data" and "tensor", found ('tp',)"""
        assert messages[1] == """expected a mesh with the dims "data" and "tensor", found None"""


def test_gradients_of_one_process_are_clipped_as_torch_does() -> None:
    module = archspec.compile(checked()).double()
    assert float(clip_gradients(module.parameters(), 1.0)) == 0
    module(batch(0)).square().mean().backward()
    given = [one.grad.clone() for one in module.parameters() if one.grad is not None]
    norm = clip_gradients(module.parameters(), 0.01)
    clipped = [one.grad for one in module.parameters() if one.grad is not None]
    assert float(norm) == pytest.approx(sum(float(one.square().sum()) for one in given) ** 0.5, rel=1e-12)
    for one, before in zip(clipped, given, strict=True):
        assert torch.allclose(one, before * 0.01 / norm, rtol=1e-4, atol=0)
