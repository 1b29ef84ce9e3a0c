"""Quantise a Vision Transformer and a ConvNet that tell digits, weights and activations, and measure what that costs.

Scales of activations are calibrated on 64 of the images that the models were trained on; accuracy is that on others.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

import archspec
from archspec.bundle.quantising import Quantisation

EXAMPLES = Path(__file__).resolve().parent.parent
BATCH, CALIBRATED = 64, 64
STEPS = 600


@dataclass(frozen=True, kw_only=True)
class Model:
    """A spec, the width of the border that its images have around a digit, and the share of steps that it needs."""

    spec: Path
    border: int
    share: float = 1.0


MODELS = {
    "vit": Model(spec=EXAMPLES / "digits/digits.yaml", border=0),
    "convnet": Model(spec=EXAMPLES / "inductive_bias/convnet.yaml", border=2, share=0.3),
}


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Images [images, 1, size, size] of values from 0 to 1, and their classes int64[images]."""

    pixels: Tensor
    classes: Tensor


def digits(border: int) -> tuple[Digits, Digits]:
    """scikit-learn's digits with a border: 1,437 to train on, and 360 to test on."""
    pixels, classes = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, classes, test_size=0.2, stratify=classes, random_state=0)
    images = [F.pad(torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8), (border,) * 4) for part in parts[:2]]
    learn, test = (Digits(pixels=one, classes=torch.tensor(part)) for one, part in zip(images, parts[2:], strict=True))
    return learn, test


def trained(model: Model, learn: Digits, steps: int) -> dict[str, Tensor]:
    """The weights after some steps."""
    torch.manual_seed(0)
    module, steps = archspec.compile(model.spec), max(1, int(model.share * steps))
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        chosen = torch.randint(len(learn.pixels), (BATCH,))
        loss = F.cross_entropy(module(learn.pixels[chosen]), learn.classes[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return {name: one.contiguous() for name, one in module.state_dict().items()}


def quantised(name: str, number: str, steps: int, folder: Path) -> archspec.Bundle:
    """Train a model and build it with weights and activations in eight bits; its bundle says what that costs."""
    model = MODELS[name]
    learn, test = digits(model.border)
    weights, inputs, images = (folder / f"{name}{end}" for end in (".safetensors", ".npz", "-test.npz"))
    save_file(trained(model, learn, steps), weights)
    np.savez(inputs, pixels=learn.pixels[:CALIBRATED].numpy())
    np.savez(images, pixels=test.pixels.numpy(), labels=test.classes.numpy())
    wish = Quantisation(formats=(number,), activations=(number,), calibrate=inputs, evaluate=images)
    return archspec.build(model.spec, folder / f"{name}-{number}", weights=weights, quantise=wish)


def main(number: str, steps: int) -> dict[str, tuple[float, float]]:
    """Print a table; returns the accuracy with floats and with eight bits by the name of the model."""
    table, found = Table("model", "accuracy", f"{number} weights and activations", "kl", "KB"), {}
    with TemporaryDirectory() as folder:
        for name in MODELS:
            entry = quantised(name, number, steps, Path(folder)).manifest.quantised
            assert entry is not None
            assert entry.loss is not None
            assert entry.loss.accuracy is not None
            before, after = found[name] = entry.loss.accuracy[0], entry.loss.accuracy[1]
            sizes = f"{entry.float_bytes / 1e3:.0f} -> {entry.bytes / 1e3:.0f}"
            table.add_row(name, f"{before:.2%}", f"{after:.2%}", f"{entry.loss.kl:.1e}", sizes)
    Console().print(table)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--number", choices=("int8", "fp8"), default="int8")
    given = parser.parse_args()
    main(given.number, given.steps)
