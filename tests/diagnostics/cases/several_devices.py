"""Diagnostics of runs on several devices."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.optim import AdamW

from archspec.parallel import resume, save
from archspec.weights import agreement
from tests.diagnostics.cases.parts import Case


def _another_rank(folder: Path) -> None:
    others = mock.patch.object(agreement, "largest_on_any_rank", lambda numbers, device: [2 for _ in numbers])
    with others, agreement.on_every_rank(torch.device("cpu")):
        pass


def _damaged(folder: Path) -> None:
    module = nn.Linear(2, 3)
    path = save(folder, module, AdamW(module.parameters()), step=1, data={})
    next(path.glob("*.safetensors")).unlink()
    resume(folder, module, AdamW(module.parameters()))


def _another_module(folder: Path) -> None:
    module, other = nn.Linear(2, 3), nn.Linear(2, 4, bias=False)
    save(folder, module, AdamW(module.parameters()), step=1, data={})
    resume(folder, other, AdamW(other.parameters()))


def _no_json(folder: Path) -> None:
    module = nn.Linear(2, 3)
    save(folder, module, AdamW(module.parameters()), step=1, data={"seen": {3, 5}})


CASES: dict[str, Case] = {"E940": _another_rank, "E941": _damaged, "E942": _another_module, "E943": _no_json}
