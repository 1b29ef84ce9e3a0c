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


class Clipped(nn.Module):
    """Position i is what stays within 0 and 6 of a sum of positions up to i, whose weights have both signs."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        weight = scale * torch.tensor([(-1.0) ** i for i in range(LENGTH)])
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        sums = x[:, None] * self.weight * torch.tril(torch.ones(LENGTH, LENGTH))
        return nn.functional.relu6(3 + sums.sum(-1))


@pytest.mark.parametrize(("is_positive", "expected"), [(True, np.eye(LENGTH, k=LENGTH)), (False, np.tri(LENGTH))])
def test_activations_with_a_limit_need_the_given_weights(is_positive: bool, expected: np.ndarray) -> None:
    runner = TorchRunner(Clipped(4.0), ("x",), ("y",))
    x = np.full((2, LENGTH), 0.5, np.float32)
    found = Gradients(runner, is_positive=is_positive).dependence({"x": x}, ("x", (1,)), ("y", (1,)), 0)
    # With absolute weights the first sum is 5, and all others are beyond 6.
    assert np.array_equal(found[1:], expected.astype(bool)[1:])


def test_a_dependence_counts_however_faint_parameters_make_it() -> None:
    x = np.full((2, LENGTH), 0.5, np.float32)
    gradients = Gradients(TorchRunner(Clipped(1e-25), ("x",), ("y",)), is_positive=False)
    assert np.array_equal(gradients.dependence({"x": x}, ("x", (1,)), ("y", (1,)), 0), np.tri(LENGTH).astype(bool))


def test_an_input_that_nothing_embeds_is_out_of_reach() -> None:
    class Counting(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return ids.double().cumsum(1)[..., None]

    runner = TorchRunner(Counting(), ("ids",), ("y",))
    assert Gradients(runner).dependence({"ids": np.zeros((2, 4), np.int64)}, ("ids", (1,)), ("y", (1,)), 0) is None
