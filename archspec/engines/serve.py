"""The worker's end of a build step: read one job, report progress, and answer with one line."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from archspec.diagnostics import Diagnostic, SpecError
from archspec.engines.scopes import Placed

_listeners: list[IO[str]] = []
Task = Callable[[dict[str, Any]], dict[str, Any]]


def serve(tasks: Mapping[str, Task]) -> None:
    """Run the task that standard input names, and write its result or diagnostics to standard output.

    `tasks` are functions from plain data to plain data by name. Output of libraries goes to standard error. The process
    ends as soon as its parent is gone. The working folder is passed as the number of a descriptor, by `steady`. Does
    not return.
    """
    os.fchdir(int(sys.argv[1]))
    # Native libraries print to descriptor 1 too: the answer goes through a copy that they do not know.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _listeners.append(answers)
    message = json.loads(sys.stdin.readline())
    # Started after the job was read, because the thread reads standard input too.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer: dict[str, Any] = {"done": tasks[message["task"]](message["job"])}
    except SpecError as error:
        answer = {"failed": [_plain(diagnostic) for diagnostic in error.diagnostics]}
    answers.write(json.dumps({**answer, "peak_bytes": peak_bytes()}) + "\n")
    answers.flush()
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


def _end_with_parent() -> None:
    """End this process when its standard input closes, which happens when the parent dies."""
    # Nothing is sent after the job, so that reading ends only with the pipe.
    os.read(0, 1)
    os._exit(1)


def _plain(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data."""
    notes, help = list(diagnostic.notes), diagnostic.help
    scopes = list(diagnostic.scopes) if isinstance(diagnostic, Placed) else []
    return {"code": diagnostic.code, "message": diagnostic.message, "notes": notes, "help": help, "scopes": scopes}
