"""A build from the command line, timed as a whole: seconds and peak memory of the process and of those it starts."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from row import Row

SPEC = "minilm-l6"


def stage_rows() -> list[Row]:
    """Times and memory of compiling, and of building for ONNX and three RTX targets."""
    with tempfile.TemporaryDirectory() as folder:
        module, bundle = Path(folder) / "model.py", Path(folder) / "bundle"
        compile_time = _run("compile", SPEC, "-o", str(module))
        build_time = _run(
            "build", SPEC, "-o", str(bundle), "--target", "onnx", "--target", "tensorrt-rtx:sm86,sm89,sm120"
        )
        weights = (bundle / "model.safetensors").stat().st_size
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        statuses = {a["target"]: a["status"] for a in json.loads((bundle / "manifest.json").read_text())["artifacts"]}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return [
        Row(what=f"compile {SPEC}, whole process", value=compile_time, unit="s"),
        Row(what=f"build {SPEC}: onnx and three RTX engines", value=build_time, unit="s", detail=str(statuses)),
        Row(what="size of the bundle", value=size / 1e6, unit="MB", detail=f"weights {weights / 1e6:.1f} MB"),
        Row(
            what="peak memory of the largest process",
            value=peak / 1e6,
            unit="MB",
            detail=f"{peak / weights:.1f} times the weights",
        ),
    ]


def _run(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "archspec", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
