"""A model whose scores outweigh a bias that stands in for a mask."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from archspec.contract.fill import fill
from archspec.contract.torch_module import TorchRunner

DEVIATIONS = (30.0, 10.0, 3.0)
"""Of matrices. With the first, scores of attention over normalised values are above 10,000; the smaller ones are for
models that overflow."""


def loud_runners(runner: TorchRunner, seed: int) -> Iterator[TorchRunner]:
    """The same module in float64 with ever smaller large parameters: the first that stays finite is of use.

    A mask hides whatever the scores are. A bias of -10,000 hides only while scores are small.
    """
    assert isinstance(runner.model, nn.Module)
    for deviation in DEVIATIONS:
        module = fill(copy.deepcopy(runner.model).double(), seed)
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(deviation / float(parameter.std()) if parameter.numel() > 1 else deviation)
        yield runner.over(module, torch.float64)
