"""Run a build step in a separate process: its memory is released, and a crash becomes a diagnostic."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

from archspec.diagnostics import Diagnostic, SpecError, fail
from archspec.engines.scopes import Placed
from archspec.record import record

Progress = Callable[[str, float | None], None]
_LINES = 4


@record
class Stage:
    """A measured step: seconds, including the start of its process, and peak memory in bytes."""

    name: str
    seconds: float
    peak_bytes: int


@record
class StageOutcome:
    """The result of a step, and its measurements."""

    result: dict[str, Any]
    stage: Stage


def run_step(
    worker: str, task: str, job: Mapping[str, Any], *, folder: Path, stage: str, progress: Progress | None
) -> StageOutcome:
    """Run `task` of the module `worker` on a job of plain data, and wait for its result.

    The step runs in `folder`, to which paths in the job are relative. `progress` is called with `stage` and the share
    that is done: None at the start, 1.0 at the end. Raises SpecError with the step's own diagnostics, or E605 if its
    process ended without an answer.
    """
    tell = progress or _silent
    tell(stage, None)
    begun = time.monotonic()
    # A file, because a pipe that nobody reads would block a worker that prints much.
    with tempfile.TemporaryFile() as errors:
        # The pipe stays open while the step runs: when it closes, an orphaned worker ends.
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "archspec.engines.steady", worker],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            try:
                answer = _converse(process, {"task": task, "job": job}, lambda share: tell(stage, share))
            # Also for KeyboardInterrupt: the step must not outlive the build.
            except BaseException:
                process.kill()
                raise
        if answer is None:
            return _ended(stage, process.returncode, errors)
    if "failed" in answer:
        raise SpecError([_diagnostic(data) for data in answer["failed"]])
    tell(stage, 1.0)
    measured = Stage(name=stage, seconds=round(time.monotonic() - begun, 3), peak_bytes=answer["peak_bytes"])
    return StageOutcome(result=answer["done"], stage=measured)


def _environment() -> dict[str, str]:
    """Return the environment of a worker: it can import this package, and does not name the working folder."""
    # The working folder is not searched for modules (-P): it holds files of the bundle.
    home = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([home, inherited]) if inherited else home
    # These variables hold the working folder or the command, whose lengths would shift the worker's memory.
    kept = {name: value for name, value in os.environ.items() if name not in ("PWD", "OLDPWD", "_")}
    # A fixed hash seed makes the order of sets, and with it the artifacts, reproducible.
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


def _converse(
    process: subprocess.Popen[str], message: dict[str, Any], tell: Callable[[float], None]
) -> dict[str, Any] | None:
    """Send a job and read the answer; None if the process ended without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        answer = _answer(process.stdout, tell)
    except BrokenPipeError:
        answer = None
    # A worker that has answered and still runs ends when this pipe closes.
    process.stdin.close()
    process.wait()
    return answer


def _answer(lines: IO[str], tell: Callable[[float], None]) -> dict[str, Any] | None:
    """Return the final message of the process, and pass on the shares it reports before; None if it ends first."""
    for line in lines:
        # A line without an end was cut off by a crash.
        message: dict[str, Any] | None = json.loads(line) if line.endswith("\n") else None
        if message is None or "share" not in message:
            return message
        tell(message["share"])
    return None


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    """Return a diagnostic from plain data, with scopes if it has any."""
    fields = {"code": data["code"], "message": data["message"], "notes": tuple(data["notes"]), "help": data["help"]}
    return Placed(**fields, scopes=tuple(data["scopes"])) if data["scopes"] else Diagnostic(**fields)


def _ended(stage: str, code: int, errors: IO[bytes]) -> NoReturn:
    """Raise E605 for a process that ended without an answer, with the last lines of its errors."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    # A negative code is the number of the signal that ended the process.
    if code >= 0:
        fail("E605", f"{stage} failed", None, notes=lines[-_LINES:])
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    help = "free some memory, or build fewer artifacts at once" if -code == signal.SIGKILL else None
    fail("E605", f"{stage} was ended by {name}", None, notes=lines[-_LINES:], help=help)


def _silent(stage: str, fraction: float | None) -> None:
    pass
