"""Times of artifacts: who takes turns, what counts, and what a bundle makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.bundle.timing import ROUNDS, RUNS, alternating
from tests.steps import steps_here


class Clock:
    """A clock that runs on as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_they_take_turns_and_the_first_run_of_a_turn_does_not_count() -> None:
    clock, order = Clock(), list[str]()

    def run(name: str, seconds: float) -> None:
        # The first run after another artifact's turn is slow.
        clock.now += seconds * (10 if order[-1:] != [name] else 1)
        order.append(name)

    taken = alternating({"quick": lambda: run("quick", 0.01), "steady": lambda: run("steady", 0.1)}, clock)
    assert order == (["quick"] * (RUNS + 1) + ["steady"] * (RUNS + 1)) * ROUNDS
    assert taken["quick"] == pytest.approx([0.01] * ROUNDS * RUNS)
    assert taken["steady"] == pytest.approx([0.1] * ROUNDS * RUNS)


def test_what_takes_long_is_run_once_a_round() -> None:
    clock = Clock()

    def run() -> None:
        clock.now += 7.5

    assert alternating({"slow": run}, clock) == {"slow": [7.5] * ROUNDS}


@pytest.mark.slow
def test_a_benchmarked_bundle_runs_its_fastest_artifact(tmp_path: Path, spec_file: Path) -> None:
    targets = ["onnx", "openvino", "tensorrt-rtx:sm89"]
    options = {"targets": targets, "profiles": ["batch=1,tokens=9:9:32"], "benchmark": True, "cache": False}
    with steps_here():
        bundle = archspec.build(spec_file, tmp_path / "bundle", **options)  # type: ignore[arg-type]
    verified = {entry.target: entry.verified for entry in bundle.manifest.artifacts}
    assert verified == {"onnx": "benchmarked", "openvino": "benchmarked", "tensorrt-rtx:sm89": "network-verified-cpu"}
    timings = {timing.artifact: timing for timing in bundle.report.timings}
    assert set(timings) == {"onnx", "openvino"}
    assert all(timing.sizes == {"batch": 1, "tokens": 9} for timing in timings.values())
    assert all(timing.runs == ROUNDS * RUNS and 0 < timing.milliseconds < 1e3 for timing in timings.values())
    fastest = min(timings.values(), key=lambda timing: timing.milliseconds)
    assert bundle.choice().target == fastest.artifact
    assert f"benchmarked; the fastest: {fastest.milliseconds:.3g} ms" in str(bundle.choice())
    assert f"benchmarked, {timings['onnx'].milliseconds:.3g} ms at batch=1, tokens=9; at most" in bundle.summary()
