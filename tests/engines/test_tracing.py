"""Conditions on sizes that the tracer cannot solve are computed; those that fail become a diagnostic."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from archspec.diagnostics import SpecError
from archspec.engines.tracing import traced


class Merged(nn.Module):
    """Two of three axes merged, of which the last two have the same size."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x).flatten(1, 2)


class Branched(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2) if x.shape[2] > 4 else x.sum(2)


class Fixed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(9, 9)


class Hidden(nn.Module):
    """What the tracer cannot solve, and is false for the sizes 5 and 7 alone."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2]
        return x * 2 if torch.sym_min(size + 1, (size - 6) * (size - 6)) != 1 else x


def trace(module: nn.Module, *, partial: bool = False, most: int = 12) -> Any:
    batch, length = Dim("batch", min=1, max=4), Dim("length", min=1, max=most)
    shapes = {"x": {0: batch, 2: length, 3: length}}
    return traced(module, {"x": torch.zeros(2, 3, 9, 9)}, shapes, partial=partial)


@pytest.mark.parametrize("most", [12, 4096])
def test_a_condition_that_holds_for_all_sizes(most: int) -> None:
    exported = trace(Merged(), most=most)
    for batch, length in ((1, 1), (4, 12), (3, 2)):
        x = torch.randn(batch, 3, length, length)
        torch.testing.assert_close(exported.module()(x=x), torch.relu(x).reshape(batch, 3 * length, length))


def test_inputs_in_their_order() -> None:
    x = torch.randn(2, 3, 5, 5)
    length = Dim("length", min=1, max=12)
    exported = traced(Merged(), (torch.zeros(2, 3, 9, 9),), ({2: length, 3: length},))
    torch.testing.assert_close(exported.module()(x), torch.relu(x).flatten(1, 2))


@pytest.mark.parametrize(
    ("module", "partial"), [(Branched(), False), (Fixed(), False), (Fixed(), True), (Hidden(), False)]
)
def test_a_condition_that_fails_for_some(module: nn.Module, partial: bool) -> None:
    with pytest.raises(SpecError) as raised:
        trace(module, partial=partial)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E608", "the network cannot be exported for all sizes of its dims")
    assert any("length" in note for note in found.notes)
    if isinstance(module, Hidden):
        assert found.notes[-1].endswith("= 5")
