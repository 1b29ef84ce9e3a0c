"""The experiment on inductive bias: its models, its data, and that the committed table and picture show its results."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch

import archspec
from archspec.checking import check

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "examples" / "inductive_bias"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    found = importlib.util.spec_from_file_location("inductive_bias_run", FOLDER / "run.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["convnet", "vit", "hybrid"])
def test_the_spec_holds(name: str) -> None:
    report = check(FOLDER / f"{name}.yaml")
    assert report.holds
    assert report.diagnostics == ()


def test_the_models_have_like_numbers_of_parameters(run: ModuleType) -> None:
    modules = [archspec.compile(FOLDER / f"{name}.yaml") for name in run.MODELS]
    counts = [sum(one.numel() for one in module.parameters()) for module in modules]
    assert max(counts) <= 1.05 * min(counts), counts


def test_every_image_is_in_one_set_and_moves_whole(run: ModuleType) -> None:
    learn, test = run.digits()
    assert (len(learn.classes), len(test.classes)) == (1437, 360)
    for by in run.MOVES:
        for down, right in run._ways(by):
            moved = test.moved(down, right)
            assert torch.equal(moved.pixels.sum((1, 2, 3)), test.pixels.sum((1, 2, 3)))
            middle = moved.pixels[:, :, 2 + down : 10 + down, 2 + right : 10 + right]
            assert torch.equal(middle, test.pixels[:, :, 2:10, 2:10])


@pytest.mark.parametrize("images", [50, 64, 200])
def test_an_epoch_shows_every_image_once_and_steps_end_where_they_should(run: ModuleType, images: int) -> None:
    *whole, last = run._epochs(images, 10)
    assert sum(len(epoch) for epoch in (*whole, last)) == 10
    assert all(torch.equal(torch.cat(epoch).sort().values, torch.arange(images)) for epoch in whole)
    assert len(torch.cat(last).unique()) == len(torch.cat(last))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results_and_more_steps_learn_more(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, whose number does not change what comes out, against one training here.

    On all images, whose epochs are the longest: after each the test images are told.
    """
    options = ["--steps", "40", "--images", "1437", "--seeds", "0", "--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), *options], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [one["model"] for one in results] == list(run.MODELS)
    vit = results[1]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # Only the accuracy is compared, and to tell images draws no numbers.
    monkeypatch.setattr(run, "MOVES", ())
    try:
        again, untrained = (run.trained("vit", 1437, 0, steps) for steps in (40, 1))
    finally:
        torch.set_num_threads(threads)
    assert again.accuracy == vit["accuracy"]
    assert vit["accuracy"] > untrained.accuracy + 0.2
    assert (tmp_path / "results.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_the_committed_table_and_picture_are_of_the_committed_results(run: ModuleType, tmp_path: Path) -> None:
    stored = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    results = [run.Result(**{**one, "moved": {int(by): share for by, share in one["moved"].items()}}) for one in stored]
    assert len(results) == len(run.MODELS) * len(run.COUNTS) * len(run.SEEDS)
    console = run.Console(width=100, file=(tmp_path / "table.txt").open("w", encoding="utf-8"))
    console.print(run.table(results))
    console.file.close()
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert (tmp_path / "table.txt").read_text(encoding="utf-8").strip() in page
    run.draw(results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (FOLDER / "results.svg").read_bytes()


def test_accuracy_grows_with_the_number_of_images(run: ModuleType) -> None:
    """What any sane training shows of the committed results; which model is ahead is not asked."""
    stored = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    for model in run.MODELS:
        means = [
            sum(one["accuracy"] for one in stored if (one["model"], one["images"]) == (model, images))
            for images in run.COUNTS
        ]
        assert all(later > earlier - 0.05 for earlier, later in pairwise(means)), (model, means)
