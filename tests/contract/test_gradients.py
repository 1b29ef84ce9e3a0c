"""Dependence by gradients, against matrices that are known without them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspec.contract.gradients import Gradients
from archspec.contract.torch_module import TorchRunner
from tests.contract.decoders import Decoder

LENGTH = 8


def of_ids(decoder: nn.Module) -> np.ndarray:
    runner = TorchRunner(decoder, ("ids", "valid"), ("logits",))
    ids = np.arange(2 * LENGTH).reshape(2, LENGTH)
    arrays = {"ids": ids, "valid": np.ones((2, LENGTH), dtype=bool)}
    return Gradients(runner).dependence(arrays, ("ids", (1,)), ("logits", (1,)), 0)


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ("", np.tri(LENGTH)),
        ("one position ahead", np.tri(LENGTH, k=1)),
        ("sees nothing but itself", np.eye(LENGTH)),
    ],
)
def test_ids_are_reached_through_their_embedding(mistake: str, expected: np.ndarray) -> None:
    assert np.array_equal(of_ids(Decoder(mistake)), expected.astype(bool))


def test_features_of_a_convolution() -> None:
    class Band(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(3, 5, kernel_size=3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.convolution(x.transpose(1, 2)).transpose(1, 2)

    x = np.random.default_rng(0).standard_normal((2, LENGTH, 3), dtype=np.float32)
    found = Gradients(TorchRunner(Band(), ("x",), ("y",))).dependence({"x": x}, ("x", (1,)), ("y", (1,)), 0)
    i = np.arange(LENGTH)
    assert np.array_equal(found, abs(i[:, None] - i) <= 1)


def test_units_that_are_dead_under_the_given_weights_count() -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((3,), -1.0))

        def forward(self, x: Tensor) -> Tensor:
            return (x.abs() * self.weight).relu().sum(1)

    found = Gradients(TorchRunner(Dead(), ("x",), ("y",))).dependence(
        {"x": np.ones((2, LENGTH, 3), np.float32)}, ("x", (1,)), ("y", ()), 0
    )
    assert found.shape == (1, LENGTH)
    assert found.all()


def test_an_input_that_nothing_embeds_is_out_of_reach() -> None:
    class Counting(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return ids.double().cumsum(1)[..., None]

    runner = TorchRunner(Counting(), ("ids",), ("y",))
    assert Gradients(runner).dependence({"ids": np.zeros((2, 4), np.int64)}, ("ids", (1,)), ("y", (1,)), 0) is None
