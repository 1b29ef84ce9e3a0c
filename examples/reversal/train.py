"""Train a small encoder-decoder to write sequences backwards, then let it decode sequences that it never saw."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archspec

SPEC = Path(__file__).with_name("reversal.yaml")
PADDING, START, END, FIRST = 0, 1, 2, 3
LETTERS, LONGEST = 10, 8
BATCH, HELD_OUT = 64, 500

Sequence = tuple[int, ...]


def sequences(count: int, draw: random.Random) -> list[Sequence]:
    """Sequences of 3 to 8 letters."""
    return [tuple(draw.choices(range(FIRST, FIRST + LETTERS), k=draw.randint(3, LONGEST))) for _ in range(count)]


def padded(rows: list[Sequence]) -> Tensor:
    """Rows filled up to the longest."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PADDING] * (longest - len(row))] for row in rows])


def loss_of(module: nn.Module, rows: list[Sequence]) -> Tensor:
    """The cross entropy of each next id: the decoder reads the target shifted by one, after the start id."""
    targets = [row[::-1] for row in rows]
    read = padded([(START, *target) for target in targets])
    wanted = padded([(*target, END) for target in targets])
    logits = module(padded(rows), read)
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PADDING)


def train(steps: int, held_out: list[Sequence], draw: random.Random) -> nn.Module:
    """The module after some steps on sequences that are not held out."""
    module = archspec.compile(SPEC)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    secret = set(held_out)
    for step in range(steps):
        loss = loss_of(module, [row for row in sequences(BATCH, draw) if row not in secret])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    return module


def main(steps: int) -> float:
    """Train for some steps; returns the share of held-out sequences whose reversal is decoded without a mistake."""
    torch.manual_seed(0)
    draw = random.Random(0)
    held_out = sequences(HELD_OUT, draw)
    module = train(steps, held_out, draw)
    rows = archspec.generate(SPEC, max_new=LONGEST + 1, module=module, inputs={"src_ids": padded(held_out)})
    right = [found.ids == (*row[::-1], END) for row, found in zip(held_out, rows, strict=True)]
    return sum(right) / len(right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1200)
    steps = parser.parse_args().steps
    started = time.perf_counter()
    accuracy = main(steps)
    print(f"exact matches {accuracy:.2%} after {steps} steps in {time.perf_counter() - started:.0f} s")
