"""Filled parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archspec.contract.fill import fill


def test_every_parameter_is_normal_and_norms_are_about_one() -> None:
    module = nn.Sequential(nn.Linear(200, 200), nn.LayerNorm(4000), nn.RMSNorm(4000), nn.Embedding(100, 50))
    fill(module, seed=3)
    assert not module.training
    for name, parameter in module.named_parameters():
        middle = 1.0 if name in ("1.weight", "2.weight") else 0.0
        assert abs(float(parameter.mean()) - middle) < 0.02
        assert 0.04 < float(parameter.std()) < 0.06
        assert len(parameter.unique()) > 0.9 * parameter.numel()


def test_a_seed_gives_the_same_and_filling_twice_changes_nothing() -> None:
    module = nn.Sequential(nn.Linear(5, 5), nn.LayerNorm(5))
    first = {name: tensor.clone() for name, tensor in fill(module, 1).state_dict().items()}
    again = fill(module, 1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], fill(module, 2).state_dict()["0.weight"])


def test_kernels_of_few_terms_keep_the_scale_of_their_sums() -> None:
    module = nn.ModuleDict(
        {
            "depthwise": nn.Conv2d(400, 400, 3, groups=400),
            "dense": nn.Conv2d(500, 40, 3),
            "linear": nn.Linear(9, 400),
        }
    )
    fill(module, 0, 0.05)
    wanted = {"depthwise": 1 / 3, "dense": 0.05, "linear": 0.05}
    for name, deviation in wanted.items():
        assert float(module[name].weight.std()) == pytest.approx(deviation, rel=0.05)
