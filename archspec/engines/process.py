"""Run build steps, each in a process of its own: its memory is released, and a crash becomes a diagnostic."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from archspec.diagnostics import Diagnostic, SpecError, fail
from archspec.engines.fork_server import Ended, ForkServer
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


_server: ContextVar[ForkServer | None] = ContextVar("_server", default=None)


@contextmanager
def forked_steps(folder: Path, *modules: str) -> Iterator[None]:
    """Fork the steps of the block in `folder` from one process that has loaded `modules`.

    To load them again takes longer than many a step does.
    """
    server = ForkServer(folder, modules)
    before = _server.set(server)
    try:
        yield
    finally:
        _server.reset(before)
        server.close()


def run_step(
    worker: str,
    task: str,
    job: Mapping[str, Any],
    *,
    folder: Path,
    stage: str,
    progress: Progress | None,
    alone: bool = False,
) -> StageOutcome:
    """Run `task` of the module `worker` on a job of plain data, and wait for its result.

    The step runs in `folder`, to which paths in the job are relative. `progress` is called with `stage` and the share
    that is done: None at the start, 1.0 at the end. `alone` leaves out what `forked_steps` has loaded: where that lies
    in memory is not the same every time. Raises SpecError with the step's own diagnostics, or E605 if its
    process ended without an answer.
    """
    tell = progress or _silent
    tell(stage, None)
    begun = time.monotonic()
    shared = None if alone else _server.get()
    server = shared if shared is not None and shared.folder == folder else ForkServer(folder, (worker,))
    try:
        ended = server.ask({"worker": worker, "task": task, "job": job}, lambda share: tell(stage, share))
    finally:
        if server is not shared:
            server.close()
    if ended.answer is None:
        return _refuse(stage, ended)
    if "failed" in ended.answer:
        raise SpecError([_diagnostic(data) for data in ended.answer["failed"]])
    tell(stage, 1.0)
    measured = Stage(name=stage, seconds=round(time.monotonic() - begun, 3), peak_bytes=ended.answer["peak_bytes"])
    return StageOutcome(result=ended.answer["done"], stage=measured)


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    """Return a diagnostic from plain data, with scopes if it has any."""
    fields = {"code": data["code"], "message": data["message"], "notes": tuple(data["notes"]), "help": data["help"]}
    return Placed(**fields, scopes=tuple(data["scopes"])) if data["scopes"] else Diagnostic(**fields)


def _refuse(stage: str, ended: Ended) -> NoReturn:
    """Raise E605 for a step that ended without an answer, with the last lines of its errors."""
    code, notes = ended.code, ended.errors[-_LINES:]
    # A negative code is the number of the signal that ended the process.
    if code >= 0:
        fail("E605", f"{stage} failed", None, notes=notes)
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    help = "free some memory, or build fewer artifacts at once" if -code == signal.SIGKILL else None
    fail("E605", f"{stage} was ended by {name}", None, notes=notes, help=help)


def _silent(stage: str, fraction: float | None) -> None:
    pass
