"""Train a ConvNet, a Vision Transformer and a hybrid of like size on few and on many digits, and move the test digits.

Training shows every digit in the middle of its image; the moved test digits stand up to two pixels away from it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import archspec

HERE = Path(__file__).resolve().parent
MODELS = ("convnet", "vit", "hybrid")
COUNTS = (50, 100, 200, 400, 800, 1437)
SEEDS = (0, 1, 2)
MOVES = (1, 2)
STEPS = 300
BATCH = 64
GOAL = 0.9
BORDER = 2


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Images [images, 1, 12, 12] of values from 0 to 1, and their classes int64[images]."""

    pixels: Tensor
    classes: Tensor

    def first(self, count: int) -> Digits:
        """The first of these images; they stand in random order, with like shares of the classes."""
        return Digits(pixels=self.pixels[:count], classes=self.classes[:count])

    def moved(self, down: int, right: int) -> Digits:
        """The same digits, moved; nothing of a digit leaves the image, as its border is that wide."""
        return Digits(pixels=self.pixels.roll((down, right), (2, 3)), classes=self.classes)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One training: shares of test images told right, and the epochs until the first of them reached the goal."""

    model: str
    images: int
    seed: int
    accuracy: float
    moved: dict[int, float]
    epochs_to_goal: int | None


def experiment(counts: Sequence[int], seeds: Sequence[int], steps: int) -> list[Result]:
    """Train every model on every number of images with every seed, in as many processes as there are cores.

    Each process has one thread, so that the sums, and with them the results, do not depend on the number of cores.
    """
    runs = [(model, images, seed, steps) for images in counts for seed in seeds for model in MODELS]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        started = [pool.submit(trained, *run) for run in runs]
        return [one.result() for one in track(started, description="training", console=Console(stderr=True))]


def digits() -> tuple[Digits, Digits]:
    """scikit-learn's digits in the middle of larger images: 1,437 to train on, and 360 to test on."""
    pixels, classes = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, classes, test_size=0.2, stratify=classes, random_state=0)
    return _framed(parts[0], parts[2]), _framed(parts[1], parts[3])


def _framed(pixels: Any, classes: Any) -> Digits:
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)
    return Digits(pixels=F.pad(images, (BORDER,) * 4), classes=torch.tensor(classes))


def trained(name: str, images: int, seed: int, steps: int) -> Result:
    """Train one model; all models have the same optimizer, schedule, number of steps and order of images."""
    learn, test = digits()
    learn = learn.first(images)
    torch.manual_seed(seed)
    module = archspec.compile(HERE / f"{name}.yaml")
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    torch.manual_seed(seed)
    goal = None
    for epoch, batches in enumerate(_epochs(images, steps), 1):
        for chosen in batches:
            loss = F.cross_entropy(module(learn.pixels[chosen]), learn.classes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if goal is None and share_right(module, test) >= GOAL:
            goal = epoch
    moved = {by: mean(share_right(module, test.moved(*way)) for way in _ways(by)) for by in MOVES}
    return Result(
        model=name,
        images=images,
        seed=seed,
        accuracy=share_right(module, test),
        moved=moved,
        epochs_to_goal=goal,
    )


def _epochs(images: int, steps: int) -> Iterator[tuple[Tensor, ...]]:
    """The batches of each epoch, image numbers int64[at most BATCH]; the last epoch ends with the last step."""
    while steps > 0:
        batches = torch.randperm(images).split(BATCH)[:steps]
        steps -= len(batches)
        yield batches


def _ways(by: int) -> list[tuple[int, int]]:
    """Moves by so many pixels: up, down, left, right and along both diagonals, as (down, right)."""
    return [(down * by, right * by) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


def share_right(module: nn.Module, test: Digits) -> float:
    """The share of images that the module, in evaluation mode, tells right."""
    module.eval()
    with torch.inference_mode():
        right = (module(test.pixels).argmax(-1) == test.classes).double().mean().item()
    module.train()
    return right


def table(results: Sequence[Result]) -> Table:
    """Means over the seeds, each with its standard deviation, in percent."""
    seeds = len({one.seed for one in results})
    found = Table(title=f"test images told right, in percent (mean and standard deviation of {seeds} seeds)")
    for column in ("images", "model", "in the middle", *(f"moved by {by}" for by in MOVES), "epochs to 90%"):
        found.add_column(column, justify="left" if column == "model" else "right")
    for images in sorted({one.images for one in results}):
        for model in MODELS:
            those = [one for one in results if (one.model, one.images) == (model, images)]
            shares = [_spread([read(one) for one in those]) for read in _reads()]
            found.add_row(str(images), model, *shares, _epochs_taken(those), end_section=model == MODELS[-1])
    return found


def _reads() -> list[Callable[[Result], float]]:
    return [lambda one: one.accuracy, *((lambda one, by=by: one.moved[by]) for by in MOVES)]


def _spread(shares: Sequence[float]) -> str:
    deviation = stdev(shares) if len(shares) > 1 else 0.0
    return f"{100 * mean(shares):.1f} ± {100 * deviation:.1f}"


def _epochs_taken(those: Sequence[Result]) -> str:
    """The epochs of each seed that reached the goal; a seed that did not has a dash."""
    return ", ".join(str(one.epochs_to_goal or "-") for one in those)


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw accuracy against the number of images, in the middle and moved, as SVG."""
    # The same results give the same bytes: the identifiers of SVG elements come from this salt.
    matplotlib.rcParams["svg.hashsalt"] = "archspec"
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 1 + len(MOVES), sharey=True)
    titles = ("digits in the middle, as in training", *(f"digits moved by {_pixels(by)}" for by in MOVES))
    for panel, title, read in zip(panels, titles, _reads(), strict=True):
        _curves(panel, results, read)
        panel.set(title=title, xlabel="images to train on", xscale="log", ylim=(0, 100))
        panel.set_xticks(COUNTS, COUNTS)
        panel.minorticks_off()
    panels[0].set_ylabel("test images told right, %")
    panels[0].legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"


def _curves(panel: Axes, results: Sequence[Result], read: Callable[[Result], float]) -> None:
    for model in MODELS:
        counts = sorted({one.images for one in results})
        shares = [[100 * read(one) for one in results if (one.model, one.images) == (model, each)] for each in counts]
        panel.plot(counts, [mean(each) for each in shares], marker="o", label=model)
        panel.fill_between(counts, [min(each) for each in shares], [max(each) for each in shares], alpha=0.2)


def main() -> None:
    """Run the experiment, print its table, and write results and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each training")
    parser.add_argument("--images", type=int, nargs="+", default=COUNTS, help="numbers of images to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--output", type=Path, default=Path(), help="folder of results.json and results.svg")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    results = experiment(chosen.images, chosen.seeds, chosen.steps)
    Console(width=100).print(table(results))
    print(f"{len(results)} trainings of {chosen.steps} steps in {time.perf_counter() - begun:.0f} s")
    text = json.dumps([asdict(one) for one in results], indent=1)
    (chosen.output / "results.json").write_text(text + "\n", encoding="utf-8")
    draw(results, chosen.output / "results.svg")


if __name__ == "__main__":
    main()
