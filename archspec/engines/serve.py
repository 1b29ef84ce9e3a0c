"""The worker's end of a build step: read one job, report progress, and answer with one line."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

from archspec.diagnostics import Diagnostic, SpecError
from archspec.engines.scopes import Placed

_listeners: list[IO[str]] = []


def serve(asked: int, answers: int) -> NoReturn:
    """Read a job from a descriptor, run it, and write its result or diagnostics to another.

    A job names a module and a function there, from plain data to plain data. The process ends as soon as nobody can
    write to `asked` any more, since its parent is gone then.
    """
    listener = os.fdopen(answers, "w", encoding="utf-8")
    _listeners.append(listener)
    # Not buffered: what is read beyond the line would be missed below.
    message = json.loads(os.fdopen(asked, "rb", buffering=0, closefd=False).readline())
    # Started after the job was read, because the thread reads the descriptor too.
    threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    try:
        task = getattr(import_module(message["worker"]), message["task"])
        answer: dict[str, Any] = {"done": task(message["job"])}
    except SpecError as error:
        answer = {"failed": [_plain(diagnostic) for diagnostic in error.diagnostics]}
    listener.write(json.dumps({**answer, "peak_bytes": peak_bytes()}) + "\n")
    listener.flush()
    # Skip the exit handlers of libraries: a crash in one would turn a finished step into a failed one.
    os._exit(0)


def tell(share: float) -> None:
    """Report the share of the task that is done; does nothing if no task is served."""
    for listener in _listeners:
        listener.write(json.dumps({"share": round(share, 3)}) + "\n")
        listener.flush()


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes, as the operating system counts it."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            # `getrusage` starts at the size of the parent process.
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # `getrusage` counts in bytes on macOS and in units of 1024 bytes on Linux.
    return peak if sys.platform == "darwin" else peak * 1024


def _end_with_parent(asked: int) -> None:
    """End this process when the pipe of jobs closes, which happens when the one that asked dies."""
    # Nothing is sent before this job is done, so that reading ends only with the pipe.
    os.read(asked, 1)
    os._exit(1)


def _plain(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data."""
    notes, help = list(diagnostic.notes), diagnostic.help
    scopes = list(diagnostic.scopes) if isinstance(diagnostic, Placed) else []
    return {"code": diagnostic.code, "message": diagnostic.message, "notes": notes, "help": help, "scopes": scopes}
