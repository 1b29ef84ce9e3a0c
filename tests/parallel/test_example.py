"""The example of training on several processes, as torchrun runs it: one is killed, and nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archspec
from archspec.checking import check

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "parallel"


def test_the_spec_of_the_language_model_holds() -> None:
    report = check(EXAMPLE / "language.yaml")
    assert report.holds
    assert report.diagnostics == ()


def losses_of(command: list[str], killed_at: int | None = None) -> dict[int, str]:
    """The printed losses by step; rank 1 is killed when that of a step is printed, and what others do then is left."""
    losses: dict[int, str] = {}
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        victim, lines = 0, []
        for line in run.stdout:
            lines.append(line)
            if found := re.match(r"rank 1 is process (\d+)", line):
                victim = int(found[1])
            if found := re.match(r"step (\d+): loss (\S+)", line):
                losses[int(found[1])] = found[2]
                if int(found[1]) == killed_at:
                    os.kill(victim, signal.SIGKILL)
    assert (run.returncode == 0) == (killed_at is None), "".join(lines)
    return losses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "spec", "options"),
    [
        ("language", EXAMPLE / "language.yaml", ("--tensor", "2")),
        pytest.param(
            *("reversal", ROOT / "examples" / "reversal" / "reversal.yaml", ("--data", "2")), marks=pytest.mark.long
        ),
    ],
)
def test_a_process_that_is_killed_loses_nothing(
    task: str, spec: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(EXAMPLE / "train.py"), "--task", task, "--folder", str(tmp_path / "runs"), *options]
    command += ["--steps", "40", "--every", "10", "--print-every", "1"]
    first, again = losses_of(command, killed_at=25), losses_of(command)
    assert again.keys() == set(range(20, 40))
    assert {step: again[step] for step in range(20, 26)} == {step: first[step] for step in range(20, 26)}
    assert float(again[39]) < 0.8 * float(first[0])
    module = archspec.compile(spec)
    archspec.load_weights(module, spec, tmp_path / "runs" / "model.safetensors")


def test_the_targets_of_the_reversal_are_the_letters_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from tasks import END, START, Reversal  # type: ignore[import-not-found]

    batch = Reversal().batch(torch.Generator().manual_seed(0))
    for source, read, wanted in zip(batch["src_ids"], batch["tgt_ids"], batch["wanted"], strict=True):
        letters = source[source > 0].tolist()
        assert 3 <= len(letters) <= 8
        assert wanted[wanted >= 0].tolist() == [*letters[::-1], END]
        assert read[: len(letters) + 1].tolist() == [START, *letters[::-1]]
        assert read[len(letters) + 1 :].tolist() == [0] * (8 - len(letters))
