"""Train a small Vision Transformer on the handwritten digits that come with scikit-learn."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import archspec

SPEC = Path(__file__).with_name("digits.yaml")
BATCH = 64


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels [images, 1, 8, 8] from 0 to 1 and classes: 1,437 images to train on, and 360 to test on."""
    pixels, classes = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, classes, test_size=0.2, stratify=classes, random_state=0)
    train, test = (torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8) for part in parts[:2])
    return train, torch.tensor(parts[2]), test, torch.tensor(parts[3])


def shifted(pixels: Tensor) -> Tensor:
    """A third of the images, moved by at most one pixel up or down and left or right."""
    rows, columns = torch.randint(3, (2, len(pixels)))
    windows = F.pad(pixels, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
    moved = windows[torch.arange(len(pixels)), :, rows, columns]
    return torch.where(torch.rand(len(pixels), 1, 1, 1) < 1 / 3, moved, pixels)


def train(pixels: Tensor, classes: Tensor, steps: int) -> nn.Module:
    """The module after some steps, each on images that are drawn without repetition until all were seen."""
    module = archspec.compile(SPEC)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    rounds = [torch.randperm(len(pixels)) for _ in range(-(-steps * BATCH // len(pixels)))]
    for step, chosen in enumerate(torch.cat(rounds)[: steps * BATCH].split(BATCH)):
        loss = F.cross_entropy(module(shifted(pixels[chosen])), classes[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    return module


def main(steps: int) -> float:
    """Train for some steps; returns the share of test images that are told right."""
    torch.manual_seed(0)
    pixels, classes, test_pixels, test_classes = digits()
    module = train(pixels, classes, steps).eval()
    with torch.inference_mode():
        return (module(test_pixels).argmax(-1) == test_classes).double().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    started = time.perf_counter()
    accuracy = main(steps)
    print(f"test accuracy {accuracy:.2%} after {steps} steps in {time.perf_counter() - started:.0f} s")
