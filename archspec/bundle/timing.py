"""Time artifacts on the host that builds them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from archspec.bundle.parity import SEED
from archspec.bundle.report import Timing
from archspec.engines.opening import open_artifact
from archspec.engines.profiles import declared
from archspec.engines.program import Program
from archspec.engines.registry import target_of
from archspec.model.inputs import prepare
from archspec.model.ports import DTypeName
from archspec.model.samples import sample

ROUNDS, RUNS = 3, 5
SLOW = 2.0
"""Runs that take longer than this many seconds are timed once per round."""
Run = Callable[[], Any]


def time_artifacts(
    files: Mapping[str, Path], program: Program, dtype: DTypeName, rounding: Collection[str] = ()
) -> list[Timing]:
    """Time artifacts, given by target, from arrays to arrays at the typical sizes of the first profile.

    Those of the targets `rounding` round what they multiply with quantised weights.
    The artifacts take turns, so that changes of the machine's load affect all of them. Each turn begins with a run that
    is not counted, after which the threads of the previous artifact are idle. Returns the median time in milliseconds
    for each. Raises SpecError E610 for one that does not open or run.
    """
    profiles = program.profiles or (declared(program.interface.symbols),)
    sizes = {name: typical for name, (_, typical, _) in profiles[0].items()}
    inputs = prepare(program.interface, sample(program.interface, sizes, SEED), dtype)

    def run(target: str, path: Path) -> Run:
        runner = open_artifact(target_of(target), path, program.interface, rounded=target in rounding)
        return lambda: runner.run(inputs)

    taken = alternating({target: run(target, path) for target, path in files.items()})
    return [
        Timing(artifact=target, sizes=sizes, milliseconds=round(median(times) * 1e3, 4), runs=len(times))
        for target, times in taken.items()
    ]


def alternating(runs: Mapping[str, Run], clock: Callable[[], float] = time.perf_counter) -> dict[str, list[float]]:
    """Return the seconds of each counted run by name; `clock` returns seconds."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            first = _seconds(run, clock)
            taken[name] += [_seconds(run, clock) for _ in range(RUNS if first < SLOW else 1)]
    return taken


def _seconds(run: Run, clock: Callable[[], float]) -> float:
    """Return how long one run takes."""
    begun = clock()
    run()
    return clock() - begun
