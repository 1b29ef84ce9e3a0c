"""Angles of all positions depend on no input of a step, or its export fails."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic_multi_out

from archspec.engines.ort.angles import ROTATES, are_fixed


class Attending(nn.Module):
    """The operator with tables of eight positions, whose angles grow with the length if they are `scaled`."""

    def __init__(self, scaled: bool) -> None:
        super().__init__()
        self.scaled = scaled
        self.register_buffer("steps", torch.arange(2.0))

    def forward(self, x: Tensor) -> Tensor:
        angles = torch.arange(8)[:, None] * self.steps
        if self.scaled:
            angles = angles * torch.full((1,), x.shape[1])
        operands = (*[x] * 7, angles.cos(), angles.sin(), x)
        found: Any = symbolic_multi_out(
            "com.microsoft::GroupQueryAttention",
            operands,
            {ROTATES: 1},
            dtypes=(x.dtype,),
            shapes=(x.shape,),
            version=1,
        )
        out: Tensor = found[0]
        return out


@pytest.mark.parametrize("scaled", [False, True])
def test_angles_that_depend_on_the_length_are_not_fixed(scaled: bool) -> None:
    length = torch.export.Dim("length", min=2, max=8)
    exported = torch.export.export(Attending(scaled), (torch.ones(2, 4),), dynamic_shapes=({1: length},))
    assert are_fixed(exported) is not scaled
