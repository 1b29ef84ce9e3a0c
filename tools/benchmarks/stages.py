"""Builds from the command line: seconds and peak memory of every stage, each in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from row import Row

SMALL = "minilm-l6"
FULL = ("vit-b16", "bert-base", "gpt2")
TARGETS = ("onnx", "openvino", "tensorrt-rtx:sm89")
MOST = 5.0
"""Times the weights that a stage may hold."""


def stage_rows() -> list[Row]:
    """The time of compiling, then every stage of building three models at full size."""
    with tempfile.TemporaryDirectory() as folder:
        compiling = _run("compile", SMALL, "-o", str(Path(folder) / "model.py"))
    rows = [Row(what=f"compile {SMALL}, whole process", value=compiling, unit="s")]
    for spec in FULL:
        rows += _built(spec)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return [*rows, Row(what="peak memory of the largest process of all", value=peak / 1e6, unit="MB")]


def _built(spec: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        wanted = [word for target in TARGETS for word in ("--target", target)]
        seconds = _run("build", spec, "-o", str(bundle), "--no-cache", *wanted)
        weights = (bundle / "model.safetensors").stat().st_size
        stages = json.loads((bundle / "report.json").read_text())["stages"]
        found = json.loads((bundle / "manifest.json").read_text())["artifacts"]
    verified = ", ".join(f"{one['target']} {one['verified']}" for one in found)
    detail = f"weights {weights / 1e6:.1f} MB; {verified}"
    return [
        Row(what=f"build {spec}, whole", value=seconds, unit="s", detail=detail),
        *(_stage(spec, stage, weights) for stage in stages),
    ]


def _stage(spec: str, stage: dict[str, float], weights: int) -> Row:
    return Row(
        what=f"build {spec}: {stage['name']}, memory / weights",
        value=stage["peak_bytes"] / weights,
        unit="x",
        bound=MOST,
        detail=f"{stage['peak_bytes'] / 1e6:.0f} MB, {stage['seconds']:.1f} s",
    )


def _run(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "archspec", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
