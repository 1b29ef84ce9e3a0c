"""The two tasks: each has a spec, batches by the number of the step, and the sum of its loss over what counts."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
PADDING, START, END, FIRST = 0, 1, 2, 3
LETTERS, LONGEST = 10, 8

Batch = dict[str, Tensor]
"""Inputs of the module by name, and `wanted`, of which -100 does not count."""


class Reversal:
    """Write sequences of letters backwards, as in examples/reversal."""

    spec = ROOT / "examples" / "reversal" / "reversal.yaml"
    rows = 64

    def batch(self, draw: torch.Generator) -> Batch:
        """Sequences of 3 to 8 letters, all filled up to the longest."""
        letters = torch.randint(FIRST, FIRST + LETTERS, (self.rows, LONGEST), generator=draw)
        counts = torch.randint(3, LONGEST + 1, (self.rows, 1), generator=draw)
        places = torch.arange(LONGEST + 1)
        source = letters.where(places[:-1] < counts, PADDING)
        backwards = source.gather(1, (counts - 1 - places[:-1]).clamp(min=0))
        target = torch.cat((backwards, torch.zeros_like(counts)), 1)
        wanted = target.where(places != counts, END).where(places <= counts, -100)
        read = torch.cat((torch.full_like(counts, START), backwards), 1).where(places <= counts, PADDING)
        return {"src_ids": source, "tgt_ids": read, "wanted": wanted}


class Language:
    """Tell each byte of this project's documents from those before it."""

    spec = Path(__file__).with_name("language.yaml")
    rows = 16
    length = 64

    @cached_property
    def text(self) -> Tensor:
        """The bytes of all documents."""
        files = sorted((ROOT / "docs").glob("*.md"))
        return torch.frombuffer(bytearray(b"".join(file.read_bytes() for file in files)), dtype=torch.uint8).long()

    def batch(self, draw: torch.Generator) -> Batch:
        """Pieces of the text that begin anywhere."""
        starts = torch.randint(len(self.text) - self.length, (self.rows, 1), generator=draw)
        pieces = self.text[starts + torch.arange(self.length + 1)]
        return {"ids": pieces[:, :-1], "wanted": pieces[:, 1:]}


TASKS = {"reversal": Reversal, "language": Language}


def summed_loss(module: nn.Module, batch: Batch) -> Tensor:
    """The cross entropy of every id that counts, summed."""
    inputs = {name: rows for name, rows in batch.items() if name != "wanted"}
    return F.cross_entropy(
        module(**inputs).flatten(0, 1), batch["wanted"].flatten(), ignore_index=-100, reduction="sum"
    )
