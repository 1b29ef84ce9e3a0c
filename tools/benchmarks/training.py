"""The examples that train: how long they take, and how much of what they never saw they get wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from row import Row

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
WRONG = {"digits": 3.0, "reversal": 1.0}
"""The most that may be wrong, in percent: test images told wrong, held-out sequences decoded with a mistake."""


def training_rows() -> list[Row]:
    """Minutes and errors of each example, run as a person would run it."""
    return [row for name in WRONG for row in _rows(name)]


def _rows(name: str) -> list[Row]:
    started = time.perf_counter()
    command = [sys.executable, str(EXAMPLES / name / "train.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    minutes = (time.perf_counter() - started) / 60
    last = done.stdout.splitlines()[-1]
    found = re.search(r"(\d+\.\d+)%", last)
    if found is None:
        raise ValueError(f"examples/{name}/train.py ended with {last!r}")
    return [
        Row(what=f"train examples/{name}", value=minutes, unit="min"),
        Row(what=f"examples/{name}: wrong", value=100 - float(found[1]), unit="%", bound=WRONG[name], detail=last),
    ]
