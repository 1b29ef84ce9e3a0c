"""`archspec check` against its bare third-party imports: whole processes, alternating in one loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median

from row import Row, spread

RUNS = 15
CHECK = "import sys; sys.argv = ['archspec', 'check', 'transformer-base']; from archspec.__main__ import main; main()"
LOADED = (
    "import sys, json, io, contextlib\n"
    "sys.argv = ['archspec', 'check', 'transformer-base']\n"
    "from archspec.cli import cli\n"
    "with contextlib.redirect_stdout(io.StringIO()): cli(standalone_mode=False)\n"
    "files = {name: getattr(module, '__file__', '') or '' for name, module in sys.modules.items()}\n"
    "print(json.dumps(sorted(name for name, file in files.items() if 'site-packages' in file)))"
)


def check_rows() -> list[Row]:
    """The ratio, the absolute time and the memory of one check."""
    loaded = json.loads(_output(LOADED))
    bare = "\n".join(f"import {name}" for name in loaded)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once; so must our own files be
    _time(CHECK), _time(bare)
    pairs = [(_time(CHECK), _time(bare)) for _ in range(RUNS)]
    checks, bares = [a for (a, _), _ in pairs], [b for _, (b, _) in pairs]
    heavy = [name for name in ("torch", "numpy", "networkx") if name in {module.split(".")[0] for module in loaded}]
    return [
        Row(
            what="check transformer-base / its bare third-party imports",
            value=median(checks) / median(bares),
            unit="x",
            bound=2.0,
            detail=f"median of {RUNS}, alternating; bare imports {spread(bares)}",
        ),
        Row(
            what="check transformer-base, whole process",
            value=median(checks),
            unit="s",
            bound=0.5,
            detail=spread(checks),
        ),
        Row(
            what="torch loaded by check",
            value=float("torch" in heavy),
            unit="",
            bound=0.0,
            detail=f"of the heavy ones: {heavy}",
        ),
        Row(what="peak memory of check", value=max(m for (_, m), _ in pairs) / 1024, unit="MB"),
        _convolutions(),
    ]


def _convolutions() -> Row:
    """A ConvNet against the Transformer in a running process, where imports do not hide the difference."""
    from archspec.checking import check

    def seconds(name: str) -> float:
        started = time.process_time()
        check(name)
        return time.process_time() - started

    names = ("resnet-50", "transformer-base")
    for name in names:
        check(name)
    runs = [[seconds(name) for name in names] for _ in range(RUNS)]
    ours, theirs = (list(column) for column in zip(*runs, strict=True))
    return Row(
        what="check resnet-50 / transformer-base, in a running process, CPU time",
        value=median(ours) / median(theirs),
        unit="x",
        bound=1.5,
        detail=f"{spread(ours)}, {spread(theirs)}",
    )


def _output(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _time(code: str) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of a process, by the operating system's own account."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = status
    if status:
        raise SystemExit(f"a timed process failed: {code[:60]}")
    return elapsed, usage.ru_maxrss
