"""Diagnostics of runs on several devices."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch

from archspec.weights import agreement
from tests.diagnostics.cases.parts import Case


def _another_rank(folder: Path) -> None:
    others = mock.patch.object(agreement, "_largest", lambda numbers, device: [2 for _ in numbers])
    with others, agreement.on_every_rank(torch.device("cpu")):
        pass


CASES: dict[str, Case] = {"E940": _another_rank}
