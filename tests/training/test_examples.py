"""The examples reach what they promise with the seeds that they ship with, the reversal in half of its steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.checking import check

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize("name", ["digits", "reversal"])
def test_the_spec_holds(name: str) -> None:
    report = check(EXAMPLES / name / f"{name}.yaml")
    assert report.holds
    assert report.diagnostics == ()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "least"), [("digits", (), 97.0), ("reversal", ("--steps", "600"), 99.0)])
def test_what_it_learns(name: str, options: tuple[str, ...], least: float, tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name / "train.py"), *options],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"([\d.]+)% after", done.stdout.splitlines()[-1])
    assert found is not None
    assert float(found[1]) >= least, done.stdout


@pytest.mark.slow
def test_eight_bits_lose_at_most_half_a_point(tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, str(EXAMPLES / "quantised_digits" / "run.py"), "--steps", "300"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, least in (("vit", 90.0), ("convnet", 97.0)):
        found = re.search(rf"{name}\W+([\d.]+)%\W+([\d.]+)%", done.stdout)
        assert found is not None, done.stdout
        before, after = float(found[1]), float(found[2])
        assert before >= least
        assert before - after <= 0.5


@pytest.mark.slow
def test_few_steps_learn_little(tmp_path: Path) -> None:
    """The figure is of what was learned: it is not met by a module that is fresh."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(EXAMPLES / "reversal" / "train.py"), "--steps", "2"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].startswith("exact matches 0.00% after 2 steps")
