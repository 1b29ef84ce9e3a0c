"""Models with attention scores so large that they outweigh a finite bias used in place of a mask."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from archspec.contract.fill import fill
from archspec.contract.torch_module import TorchRunner

DEVIATIONS = (30.0, 10.0, 3.0)
"""Standard deviations of the matrices, tried in order.

With the first, attention scores of normalised values exceed 10,000; the smaller ones are for models that overflow.
"""


def loud_runners(runner: TorchRunner, seed: int) -> Iterator[TorchRunner]:
    """Copies of the module in float64, one for each of `DEVIATIONS`, from large matrices to smaller ones.

    The caller uses the first one whose outputs are finite. A mask hides a position whatever its score; a bias of
    -10,000 hides it only while scores are small.

    Args:
        runner: a runner of a module, which is left unchanged.
        seed: seed of the parameters.
    """
    assert isinstance(runner.model, nn.Module)
    for deviation in DEVIATIONS:
        module = fill(copy.deepcopy(runner.model).double(), seed)
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.ndim > 1:
                    # One element alone has no standard deviation.
                    parameter.mul_(deviation / float(parameter.std()) if parameter.numel() > 1 else deviation)
        yield runner.over(module, torch.float64)
